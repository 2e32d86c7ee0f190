// The formulas of the contract, element by element.
#include <cmath>

#include "ops/optimizer/optimizer.h"

namespace fastcnn::ref {
namespace {

float average(float a, float x, double momentum) { return a + static_cast<float>(1.0 - momentum) * (x - a); }

// f(w, state, g, rate) for each element, `state` being as many values as there are results but one; w comes decayed.
template <class F>
void update(const KernelArgs& args, bool decay, const F& f) {
  const int states = args.problem.num_outputs - 1;
  const float* g = args.in[states + 1].as<float>();
  const float rate = *args.in[states + 2].as<float>(), kept = decay ? *args.in[states + 3].as<float>() : 1.0f;
  const std::int64_t n = args.out[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i) {
    float w = kept * args.in[0].as<float>()[i], state[3];
    for (int k = 0; k < states; ++k) state[k] = args.in[k + 1].as<float>()[i];
    f(w, state, g[i], rate);
    args.out[0].as<float>()[i] = w;
    for (int k = 0; k < states; ++k) args.out[k + 1].as<float>()[i] = state[k];
  }
}

}  // namespace

void sgd_update(const KernelArgs& args) {
  const auto& p = args.problem.as<SgdParams>();
  const float momentum = static_cast<float>(p.momentum);
  update(args, p.decay, [&](float& w, float* state, float g, float rate) {
    float velocity = -rate * g;
    if (p.momentum != 0) {
      state[0] = momentum * state[0] - rate * g;
      velocity = p.nesterov ? momentum * state[0] - rate * g : state[0];
    }
    w += velocity;
  });
}

void rmsprop_update(const KernelArgs& args) {
  const auto& p = args.problem.as<RmspropParams>();
  update(args, p.decay, [&](float& w, float* state, float g, float rate) {
    float spread = *state = average(*state, g * g, p.rho);
    if (p.centered) {
      ++state;
      *state = average(*state, g, p.rho);
      spread -= *state * *state;
    }
    const float change = rate * g / std::sqrt((spread < 0 ? 0.0f : spread) + static_cast<float>(p.epsilon));
    if (p.momentum == 0) {
      w -= change;
    } else {
      ++state;
      *state = static_cast<float>(p.momentum) * *state + change;
      w -= *state;
    }
  });
}

void adam_update(const KernelArgs& args) {
  const auto& p = args.problem.as<AdamParams>();
  update(args, p.decay, [&](float& w, float* state, float g, float rate) {
    state[0] = average(state[0], g, p.beta_1);
    float v = state[1] = average(state[1], g * g, p.beta_2);
    if (p.amsgrad) v = state[2] = v < state[2] || state[2] != state[2] ? state[2] : v;
    w -= rate * state[0] / (std::sqrt(v) + static_cast<float>(p.epsilon));
  });
}

void moving_average(const KernelArgs& args) {
  const double momentum = args.problem.as<MovingAverageParams>().momentum;
  const std::int64_t n = args.out[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i)
    args.out[0].as<float>()[i] = average(args.in[0].as<float>()[i], args.in[1].as<float>()[i], momentum);
}

}  // namespace fastcnn::ref

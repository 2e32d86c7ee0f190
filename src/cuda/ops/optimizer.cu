// The steps of optimizers and the moving average (the contract: ops/optimizer/optimizer.h).
#include "ops/optimizer/optimizer.h"

#include "core/elementwise.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kSgd = "sgd_update_f32_cuda", *kRmsprop = "rmsprop_update_f32_cuda",
                     *kAdam = "adam_update_f32_cuda", *kMovingAverage = "moving_average_f32_cuda";

// a + rate (x - a), rate being 1 - momentum.
__device__ __forceinline__ float average(float a, float x, float rate) { return fmaf(rate, x - a, a); }

float share_of_new(double momentum) { return static_cast<float>(1.0 - momentum); }

// The rules: w comes decayed; `state` in the order of the operands.
template <bool momentum>
struct Sgd {
  static constexpr int states = momentum;
  float inertia;
  bool nesterov;

  __device__ __forceinline__ void operator()(float& w, float* state, float g, float rate) const {
    float velocity = -rate * g;
    if constexpr (momentum) {
      state[0] = fmaf(inertia, state[0], velocity);
      velocity = nesterov ? fmaf(inertia, state[0], velocity) : state[0];
    }
    w += velocity;
  }
};

template <bool centered, bool momentum>
struct Rmsprop {
  static constexpr int states = 1 + centered + momentum;
  float of_new, inertia, epsilon;

  __device__ __forceinline__ void operator()(float& w, float* state, float g, float rate) const {
    state[0] = average(state[0], g * g, of_new);
    float spread = state[0];
    if constexpr (centered) {
      state[1] = average(state[1], g, of_new);
      spread = fmaf(-state[1], state[1], spread);
      spread = spread < 0.0f ? 0.0f : spread;  // NaN stays
    }
    float change = rate * g / sqrtf(spread + epsilon);
    if constexpr (momentum) change = state[1 + centered] = fmaf(inertia, state[1 + centered], change);
    w -= change;
  }
};

template <bool amsgrad>
struct Adam {
  static constexpr int states = 2 + amsgrad;
  float of_new_mean, of_new_square, epsilon;

  __device__ __forceinline__ void operator()(float& w, float* state, float g, float rate) const {
    state[0] = average(state[0], g, of_new_mean);
    float v = state[1] = average(state[1], g * g, of_new_square);
    if constexpr (amsgrad) v = state[2] = v < state[2] || state[2] != state[2] ? state[2] : v;
    w -= rate * state[0] / (sqrtf(v) + epsilon);
  }
};

// Computes   w' and the states' by a rule.
// Layout     one run of elements; rate and `kept` are numbers in the device's memory.
// Threads    each_group's; 56 registers.
// Why        every operand is read once and written in its place.
// Bound      memory: up to five loads and four stores an element.
// Accuracy   a few roundings.
template <class Rule>
struct Update {
  static constexpr int states = Rule::states;
  const float *w, *state[states + 1], *g, *rate, *kept;
  float* out[states + 1];
  Rule rule;

  Update(const KernelArgs& args, const Rule& r, bool decay) : rule(r) {
    const auto in = [&](int i) { return args.in[i].as<float>(); };
    w = in(0);
    for (int k = 0; k < states; ++k) state[k] = in(k + 1);
    state[states] = nullptr;
    g = in(states + 1);
    rate = in(states + 2);
    kept = decay ? in(states + 3) : nullptr;
    for (int k = 0; k <= states; ++k) out[k] = args.out[k].as<float>();
  }

  __device__ __forceinline__ void operator()(const Group& group) const {
    Four<float> new_w = load(w, group), s[states + 1];
#pragma unroll
    for (int k = 0; k < states; ++k) s[k] = load(state[k], group);
    const Four<float> gradient = load(g, group);
    const float step = *rate, share = kept != nullptr ? *kept : 1.0f;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      float of_one[states + 1];
#pragma unroll
      for (int k = 0; k < states; ++k) of_one[k] = s[k].at[i];
      new_w.at[i] *= share;
      rule(new_w.at[i], of_one, gradient.at[i], step);
#pragma unroll
      for (int k = 0; k < states; ++k) s[k].at[i] = of_one[k];
    }
    store(out[0], group, new_w);
#pragma unroll
    for (int k = 0; k < states; ++k) store(out[k + 1], group, s[k]);
  }
};

template <class Rule>
void update(const char* name, const KernelArgs& args, const Rule& rule, bool decay) {
  const Update<Rule> body(args, rule, decay);
  bool aligned = aligned_to_16({body.w, body.g});
  for (int k = 0; k <= Rule::states; ++k) aligned = aligned && aligned_to_16({body.state[k], body.out[k]});
  run_groups(name, args, args.out[0].shape().size(), body, aligned);
}

void sgd_update(const KernelArgs& args) {
  const auto& p = args.problem.as<SgdParams>();
  const bool decay = p.decay != 0, nesterov = p.nesterov != 0;
  if (p.momentum != 0)
    update(kSgd, args, Sgd<true>{static_cast<float>(p.momentum), nesterov}, decay);
  else
    update(kSgd, args, Sgd<false>{0.0f, nesterov}, decay);
}

template <bool centered>
void rmsprop(const KernelArgs& args, const RmspropParams& p) {
  const float of_new = share_of_new(p.rho), inertia = static_cast<float>(p.momentum);
  const auto epsilon = static_cast<float>(p.epsilon);
  if (p.momentum != 0)
    update(kRmsprop, args, Rmsprop<centered, true>{of_new, inertia, epsilon}, p.decay != 0);
  else
    update(kRmsprop, args, Rmsprop<centered, false>{of_new, inertia, epsilon}, p.decay != 0);
}

void rmsprop_update(const KernelArgs& args) {
  const auto& p = args.problem.as<RmspropParams>();
  p.centered ? rmsprop<true>(args, p) : rmsprop<false>(args, p);
}

void adam_update(const KernelArgs& args) {
  const auto& p = args.problem.as<AdamParams>();
  const float mean = share_of_new(p.beta_1), square = share_of_new(p.beta_2);
  const auto epsilon = static_cast<float>(p.epsilon);
  if (p.amsgrad)
    update(kAdam, args, Adam<true>{mean, square, epsilon}, p.decay != 0);
  else
    update(kAdam, args, Adam<false>{mean, square, epsilon}, p.decay != 0);
}

// Computes   average(old, new, momentum), as Update.
struct MovingAverage {
  const float *old, *now;
  float* y;
  float of_new;

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> a = load(old, g);
    const Four<float> x = load(now, g);
#pragma unroll
    for (int i = 0; i < kGroup; ++i) a.at[i] = average(a.at[i], x.at[i], of_new);
    store(y, g, a);
  }
};

void moving_average(const KernelArgs& args) {
  const MovingAverage body{args.in[0].as<float>(), args.in[1].as<float>(), args.out[0].as<float>(),
                           share_of_new(args.problem.as<MovingAverageParams>().momentum)};
  run_groups(kMovingAverage, args, args.out[0].shape().size(), body, {body.old, body.now, body.y});
}

constexpr KernelInfo kSgdRows[] = {{.name = kSgd, .device = Device::Cuda, .run = sgd_update}};
constexpr KernelInfo kRmspropRows[] = {{.name = kRmsprop, .device = Device::Cuda, .run = rmsprop_update}};
constexpr KernelInfo kAdamRows[] = {{.name = kAdam, .device = Device::Cuda, .run = adam_update}};
constexpr KernelInfo kMovingAverageRows[] = {{.name = kMovingAverage, .device = Device::Cuda, .run = moving_average}};
constexpr OpRows kRows[] = {{"sgd_update", kSgdRows},
                            {"rmsprop_update", kRmspropRows},
                            {"adam_update", kAdamRows},
                            {"moving_average", kMovingAverageRows}};

}  // namespace

std::span<const OpRows> optimizer_rows() { return kRows; }

}  // namespace fastcnn::cuda

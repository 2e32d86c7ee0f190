// Computes   sgd_update, rmsprop_update, adam_update, moving_average (the contract: optimizer.h).
// Layout     any shape, as one run of elements; results may lie over their operands.
// Tile       one register of each operand a step: at most five (w, three states, g) and the constants.
// Why        few operations for each load and store: bound by memory, so every operand is read and written once, in one
//            pass, where a chain of element-wise ops would pass several times.
// Needs      nothing: the tail is a masked load.
// Accuracy   a few roundings of each term; square root and division are the exact instructions.
// Source     the formulas of Keras 3 (keras.optimizers).
#include "ops/optimizer/optimizer.h"
#include "simd/math.inl"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {
namespace {

FC_INLINE F32 constant(double x) { return set(static_cast<float>(x)); }

FC_INLINE F32 average(F32 a, F32 x, F32 rest) { return fma(rest, x - a, a); }  // rest = 1 - momentum

// f(w, state, g, rate) for each register; w comes decayed.
template <int states, class F>
FC_INLINE void update(const KernelArgs& args, bool decay, const F& f) {
  const float *in[states + 1], *g = args.in[states + 1].as<float>();
  float* out[states + 1];
  for (int k = 0; k <= states; ++k) {
    in[k] = args.in[k].as<float>();
    out[k] = args.out[k].as<float>();
  }
  const F32 rate = set(*args.in[states + 2].as<float>());
  const F32 kept = set(decay ? *args.in[states + 3].as<float>() : 1.0f);
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    F32 w = kept * load(in[0] + i, lanes), state[states + 1];
    for (int k = 0; k < states; ++k) state[k] = load(in[k + 1] + i, lanes);
    f(w, state, load(g + i, lanes), rate);
    store(out[0] + i, w, lanes);
    for (int k = 0; k < states; ++k) store(out[k + 1] + i, state[k], lanes);
  });
}

template <bool centered, bool with_momentum>
FC_INLINE void rmsprop(const KernelArgs& args, const RmspropParams& p) {
  const F32 rest = constant(1.0 - p.rho), epsilon = constant(p.epsilon), momentum = constant(p.momentum);
  update<1 + centered + with_momentum>(args, p.decay, [&](F32& w, F32* state, F32 g, F32 rate) {
    F32 spread = state[0] = average(state[0], g * g, rest);
    if constexpr (centered) {
      state[1] = average(state[1], g, rest);
      spread = max(zero(), fnma(state[1], state[1], spread));  // NaN, the second operand, stays
    }
    F32 change = rate * g / sqrt(spread + epsilon);
    if constexpr (with_momentum) change = state[1 + centered] = fma(momentum, state[1 + centered], change);
    w = w - change;
  });
}

}  // namespace

void sgd_update(const KernelArgs& args) {
  const auto& p = args.problem.as<SgdParams>();
  const F32 momentum = constant(p.momentum);
  if (p.momentum == 0) return update<0>(args, p.decay, [](F32& w, F32*, F32 g, F32 rate) { w = fnma(rate, g, w); });
  if (p.nesterov)
    return update<1>(args, p.decay, [&](F32& w, F32* state, F32 g, F32 rate) {
      const F32 change = rate * g;
      state[0] = fma(momentum, state[0], -change);
      w = w + fma(momentum, state[0], -change);
    });
  update<1>(args, p.decay, [&](F32& w, F32* state, F32 g, F32 rate) {
    state[0] = fnma(rate, g, momentum * state[0]);
    w = w + state[0];
  });
}

void rmsprop_update(const KernelArgs& args) {
  const auto& p = args.problem.as<RmspropParams>();
  if (p.centered) return p.momentum == 0 ? rmsprop<true, false>(args, p) : rmsprop<true, true>(args, p);
  p.momentum == 0 ? rmsprop<false, false>(args, p) : rmsprop<false, true>(args, p);
}

void adam_update(const KernelArgs& args) {
  const auto& p = args.problem.as<AdamParams>();
  const F32 rest_1 = constant(1.0 - p.beta_1), rest_2 = constant(1.0 - p.beta_2), epsilon = constant(p.epsilon);
  const auto step = [&](F32& w, F32* state, F32 g, F32 rate, auto largest) {
    state[0] = average(state[0], g, rest_1);
    state[1] = average(state[1], g * g, rest_2);
    w = w - rate * state[0] / (sqrt(largest(state)) + epsilon);
  };
  if (p.amsgrad)
    return update<3>(args, p.decay, [&](F32& w, F32* state, F32 g, F32 rate) {
      step(w, state, g, rate, [](F32* s) { return s[2] = max_nan(s[2], s[1]); });
    });
  update<2>(args, p.decay,
            [&](F32& w, F32* state, F32 g, F32 rate) { step(w, state, g, rate, [](F32* s) { return s[1]; }); });
}

void moving_average(const KernelArgs& args) {
  const F32 rest = constant(1.0 - args.problem.as<MovingAverageParams>().momentum);
  const float *a = args.in[0].as<float>(), *x = args.in[1].as<float>();
  float* y = args.out[0].as<float>();
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    store(y + i, average(load(a + i, lanes), load(x + i, lanes), rest), lanes);
  });
}

}  // namespace fastcnn::FC_SIMD

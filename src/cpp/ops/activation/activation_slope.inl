// The slope of an Epilogue's activation, for kernels that undo one on the way.
#pragma once

#include "ops/activation/activation.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

// dy act'(x), given the result (or the operand: gradient_reads_result) v.
template <Activation kind>
FC_INLINE F32 slope_times(F32 v, F32 dy, float alpha) {
  const F32 one = set(1.0f), sixth = set(1.0f / 6.0f);
  if constexpr (kind == Activation::Linear) return dy;
  if constexpr (kind == Activation::Relu) return select(v <= zero(), zero(), dy);
  if constexpr (kind == Activation::Relu6) return select((v <= zero()) | (set(6.0f) <= v), zero(), dy);
  if constexpr (kind == Activation::LeakyRelu) return select(v <= zero(), dy * set(alpha), dy);
  if constexpr (kind == Activation::Elu) {
    const F32 left = alpha < 0.0f ? set(alpha) * exp(min(zero(), v)) : v + set(alpha);
    return select(v <= zero(), dy * left, dy);
  }
  if constexpr (kind == Activation::Sigmoid) return dy * (v * (one - v));
  if constexpr (kind == Activation::HardSigmoid) return select((v <= zero()) | (one <= v), zero(), dy * sixth);
  if constexpr (kind == Activation::Tanh) return dy * ((one - v) * (one + v));
  if constexpr (kind == Activation::Silu) {
    const F32 s = sigmoid(v);
    return dy * (s * fma(v, one - s, one));
  }
  if constexpr (kind == Activation::HardSwish) {
    const F32 inside = dy * fma(v, set(1.0f / 3.0f), set(0.5f));
    return select(v <= set(-3.0f), zero(), select(set(3.0f) <= v, dy, inside));
  }
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

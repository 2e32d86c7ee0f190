// Slopes: of an Epilogue's activation, for kernels that undo one on the way, and those that are more than a product.
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

// x phi(x) + Phi(x), phi the normal density.
FC_INLINE F32 gelu_slope(F32 x) {
  const F32 density = set(0.3989422804014327f) * exp(x * x * set(-0.5f));
  return fma(x, density, normal_cdf(x));
}

// y = x s(w) with w = 2 sqrt(2/pi) (x + 0.044715 x^3).
FC_INLINE F32 gelu_tanh_slope(F32 x) {
  const F32 square = x * x, scale = set(1.5957691216057308f);
  const F32 s = sigmoid(scale * x * fma(square, set(0.044715f), set(1.0f)));
  const F32 inner = scale * fma(square, set(3.0f * 0.044715f), set(1.0f));
  return fma(x * inner, s * (set(1.0f) - s), s);
}

// y = x t with t = v / (v + 2), v = w (w + 2), w = e^x; t' = 4 w (w + 1) / (v + 2)^2.
FC_INLINE F32 mish_slope(F32 x) {
  const F32 w = exp(min(set(20.0f), x)), v = w * (w + set(2.0f)), inverse = set(1.0f) / (v + set(2.0f));
  return fma(x * (set(4.0f) * w * inverse), (w + set(1.0f)) * inverse, v * inverse);
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

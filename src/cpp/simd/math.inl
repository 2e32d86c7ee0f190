// Functions written once over the vector type. Include after simd/avx2.h or simd/avx512.h.
#pragma once

#include "core/epilogue.h"

namespace fastcnn::FC_SIMD {

// max and min that keep a NaN from either side; the plain ones keep it only from the second operand.
FC_INLINE F32 max_nan(F32 a, F32 b) { return select(is_nan(a), a, max(a, b)); }
FC_INLINE F32 min_nan(F32 a, F32 b) { return select(is_nan(a), a, min(a, b)); }

// e^x to 2 ulp: x = n ln2 + r with |r| <= ln2/2, a polynomial for e^r (Cephes), then the exponent field.
// Results below the normal range go to zero, above it to infinity; NaN stays NaN.
FC_INLINE F32 exp(F32 x) {
  const F32 n = round(x * set(1.44269504088896341f));
  F32 r = fnma(n, set(0.693359375f), x);
  r = fnma(n, set(-2.12194440e-4f), r);
  F32 p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  p = fma(p, r * r, r) + set(1.0f);
  // Two factors: 2^n alone overflows the exponent field at n = 128 while e^x is still finite.
  const F32 half = floor(n * set(0.5f));
  F32 y =
      p * exp2_int(min(max(half, set(-126.0f)), set(127.0f))) * exp2_int(min(max(n - half, set(-126.0f)), set(127.0f)));
  y = select(x < set(-87.33654f), zero(), y);
  y = select(set(88.72283f) < x, set(__builtin_inff()), y);
  return select(is_nan(x), x, y);
}

FC_INLINE F32 sigmoid(F32 x) { return set(1.0f) / (set(1.0f) + exp(-x)); }

// tanh: an odd polynomial near zero, where 1 - 2/(e^2x + 1) would cancel, that formula elsewhere (Cephes).
FC_INLINE F32 tanh(F32 x) {
  const F32 z = x * x;
  F32 p = set(-5.70498872745e-3f);
  p = fma(p, z, set(2.06390887954e-2f));
  p = fma(p, z, set(-5.37397155531e-2f));
  p = fma(p, z, set(1.33314422036e-1f));
  p = fma(p, z, set(-3.33332819422e-1f));
  const F32 small = fma(p * z, x, x);
  const F32 a = abs(x);
  const F32 large = set(1.0f) - set(2.0f) / (exp(a + a) + set(1.0f));
  return select(a < set(0.625f), small, select(x < zero(), -large, large));
}

// The activation of an epilogue. `kind` is the same for a whole tensor: callers switch outside their loops
// by instantiating on it.
template <Activation kind>
FC_INLINE F32 activate(F32 x, float alpha) {
  if constexpr (kind == Activation::Linear) return x;
  if constexpr (kind == Activation::Relu) return max(zero(), x);  // a NaN x is the second operand: kept
  if constexpr (kind == Activation::Relu6) return min(set(6.0f), max(zero(), x));
  if constexpr (kind == Activation::LeakyRelu) return select(x < zero(), x * set(alpha), x);
  if constexpr (kind == Activation::Elu) return select(x < zero(), set(alpha) * (exp(x) - set(1.0f)), x);
  if constexpr (kind == Activation::Sigmoid) return sigmoid(x);
  if constexpr (kind == Activation::HardSigmoid)
    return min(set(1.0f), max(zero(), fma(x, set(1.0f / 6.0f), set(0.5f))));
  if constexpr (kind == Activation::Tanh) return tanh(x);
  if constexpr (kind == Activation::Silu) return x * sigmoid(x);
  if constexpr (kind == Activation::HardSwish)
    return x * min(set(1.0f), max(zero(), fma(x, set(1.0f / 6.0f), set(0.5f))));
}

}  // namespace fastcnn::FC_SIMD

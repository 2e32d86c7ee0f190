// Functions of one float in device code: the formulas of simd/math.inl and of the slopes, over a vector type that is
// one float wide (the contract: simd/README.md). So the CPU and the device compute them alike, with the accuracy that
// simd/math.inl names; the compiler may fuse further products and sums. No launches here.
#pragma once

#include "core/cuda.h"

#define FC_SIMD cuda::scalar  // the namespace of this vector type

namespace fastcnn::FC_SIMD {

using F32 = float;
using Mask = bool;

FC_INLINE F32 zero() { return 0.0f; }
FC_INLINE F32 set(float x) { return x; }
FC_INLINE F32 fma(F32 a, F32 b, F32 c) { return ::fmaf(a, b, c); }
FC_INLINE F32 fnma(F32 a, F32 b, F32 c) { return ::fmaf(-a, b, c); }
FC_INLINE F32 sqrt(F32 a) { return ::sqrtf(a); }
FC_INLINE F32 copysign(F32 a, F32 sign) { return ::copysignf(a, sign); }
FC_INLINE F32 abs(F32 a) { return ::fabsf(a); }
FC_INLINE F32 round(F32 a) { return ::rintf(a); }
FC_INLINE F32 floor(F32 a) { return ::floorf(a); }
FC_INLINE F32 min(F32 a, F32 b) { return a < b ? a : b; }  // the second where either is NaN
FC_INLINE F32 max(F32 a, F32 b) { return a > b ? a : b; }
FC_INLINE Mask is_nan(F32 a) { return a != a; }
FC_INLINE F32 select(Mask m, F32 yes, F32 no) { return m ? yes : no; }

namespace detail {
// 2^n for a whole n in [-126, 127].
FC_INLINE F32 exp2_int(F32 n) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23);
}
}  // namespace detail

FC_INLINE F32 scale_by_power(F32 a, F32 n) {
  const F32 half = floor(n * 0.5f);
  return a * detail::exp2_int(half) * detail::exp2_int(n - half);
}

FC_INLINE F32 split_power(F32 a, F32* exponent) {
  // Modulo 2^32: what wraps around is a negative number, which has no logarithm.
  const auto bits = static_cast<std::int32_t>(__builtin_bit_cast(std::uint32_t, a) - 0x3f3504f3u);
  *exponent = static_cast<F32>(bits >> 23);
  return __builtin_bit_cast(float, (bits & 0x007fffff) + 0x3f3504f3);
}

}  // namespace fastcnn::FC_SIMD

#include "simd/math.inl"
#include "ops/activation/activation_slope.inl"

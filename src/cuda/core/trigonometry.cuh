// Sine and cosine of any float in double precision, right to the last place once rounded. CUDA's own double functions
// reduce large arguments through local memory.
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda {

struct QuarterTurn {
  double angle;  // in [-pi/4, pi/4]
  int quarter;   // 0 .. 3: what was taken away, in quarters of a turn
};

// Words of 2 / pi: bits 32 i + 1 .. 32 i + 32 behind the binary point.
__device__ __forceinline__ std::uint32_t two_over_pi(int i) {
  switch (i) {
    case 0: return 0xa2f9836eu;
    case 1: return 0x4e441529u;
    case 2: return 0xfc2757d1u;
    case 3: return 0xf534ddc0u;
    case 4: return 0xdb629599u;
    case 5: return 0x3c439041u;
    default: return 0xfe5163abu;
  }
}

// |x| < 2^30: pi/2 in two parts, the products with the first exact in the multiply-add. Beyond: x = m 2^e, and of
// m 2^e 2/pi only what is left modulo 4 is computed, from 96 bits of 2/pi that begin where their products with m stop
// being multiples of 4; 62 bits behind the point remain, and no float is nearer than 2^-30 to a multiple of pi/2
// (M. Payne, R. Hanek: Radian reduction for trigonometric functions, 1983). NaN for infinities.
__device__ __forceinline__ QuarterTurn reduce_to_quarter(float x) {
  const std::uint32_t bits = __float_as_uint(x) & 0x7fffffffu;
  if (bits <= 0x3f490fdau) return {static_cast<double>(x), 0};  // pi/4
  if (bits < 0x4e800000u) {
    const double k = rint(static_cast<double>(x) * 0.63661977236758134308);
    const double angle = ::fma(-k, 6.123233995736766036e-17, ::fma(-k, 1.5707963267948965580, static_cast<double>(x)));
    return {angle, static_cast<int>(k) & 3};
  }
  if (bits >= 0x7f800000u) return {static_cast<double>(x - x), 0};
  const std::uint32_t mantissa = (bits & 0x7fffffu) | 0x800000u;
  const int begin = static_cast<int>(bits >> 23) - 152, word = begin >> 5, shift = begin & 31;
  const auto window = [&](int i) {
    const std::uint64_t two = std::uint64_t{two_over_pi(word + i)} << 32 | two_over_pi(word + i + 1);
    return static_cast<std::uint32_t>(two << shift >> 32);
  };
  const std::uint64_t low = std::uint64_t{mantissa} * window(2), middle = std::uint64_t{mantissa} * window(1);
  const std::uint64_t high = std::uint64_t{mantissa * window(0)} << 32;  // what overflows is a multiple of 4
  const std::uint64_t turns = high + middle + (low >> 32);               // in units of 2^-62 quarters
  const std::uint64_t quarter = (turns + (std::uint64_t{1} << 61)) >> 62;
  const auto rest = static_cast<std::int64_t>(turns - (quarter << 62));
  const double angle = static_cast<double>(rest) * 3.4061215800304861e-19;  // pi / 2^63
  const int whole = static_cast<int>(quarter);
  return x < 0.0f ? QuarterTurn{-angle, -whole & 3} : QuarterTurn{angle, whole & 3};
}

struct SinCos {
  double sine, cosine;
};

// Taylor's polynomials; the first terms left out are below 2^-36 of the results.
__device__ __forceinline__ SinCos sin_cos(float x) {
  const QuarterTurn turn = reduce_to_quarter(x);
  const double a = turn.angle, z = a * a;
  double s = -1.0 / 39916800.0;
  s = ::fma(s, z, 1.0 / 362880.0);
  s = ::fma(s, z, -1.0 / 5040.0);
  s = ::fma(s, z, 1.0 / 120.0);
  s = ::fma(s, z, -1.0 / 6.0);
  s = ::fma(s * z, a, a);
  double c = 1.0 / 479001600.0;
  c = ::fma(c, z, -1.0 / 3628800.0);
  c = ::fma(c, z, 1.0 / 40320.0);
  c = ::fma(c, z, -1.0 / 720.0);
  c = ::fma(c, z, 1.0 / 24.0);
  c = ::fma(c, z, -0.5);
  c = ::fma(c, z, 1.0);
  const bool swaps = (turn.quarter & 1) != 0;
  const double sine = swaps ? c : s, cosine = swaps ? s : c;
  return {(turn.quarter & 2) != 0 ? -sine : sine, ((turn.quarter + 1) & 2) != 0 ? -cosine : cosine};
}

}  // namespace fastcnn::cuda

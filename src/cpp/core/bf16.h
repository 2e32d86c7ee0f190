// bfloat16: the upper half of a float. A format of storage; numbers are computed in float32.
#pragma once

#include "core/tensor.h"

namespace fastcnn {

struct Bf16 {
  std::uint16_t bits;
};

FC_INLINE float to_float(Bf16 x) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16); }
FC_INLINE float to_float(float x) { return x; }

// To the nearest, ties to even; a NaN stays one.
FC_INLINE Bf16 to_bf16(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

// Calls body with a number of the format that floats are stored in.
template <class Body>
FC_INLINE void with_storage(DType dtype, const Body& body) {
  if (dtype == DType::BF16)
    body(Bf16{});
  else
    body(float{});
}

}  // namespace fastcnn

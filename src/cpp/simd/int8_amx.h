// AMX tiles of 8-bit integers, beside those of simd/amx.h. `multiply_add_codes<c, a, b>` is
// c[m][n] += sum_{p < 16, i < 4} a[m][4p + i] b[p][4n + i] with a unsigned, b signed, c 32-bit integers.
#pragma once

#include "simd/amx.h"

namespace fastcnn::amx {

template <int c, int a, int b>
FC_INLINE void multiply_add_codes() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}
// Rows that are `stride` bytes apart.
template <int t>
FC_INLINE void load_tile_rows(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(t) : "memory");
}
template <int t>
FC_INLINE void store_tile_rows(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(t) : "memory");
}

}  // namespace fastcnn::amx

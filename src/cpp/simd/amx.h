// AMX tiles for files compiled with AMX. Own assembly, because GCC 12's intrinsics tell the compiler neither all of the
// configuration that is read nor that tile loads and stores touch memory.
//
// Tiles are named by number, at compile time. A tile of bf16 is rows of 64 bytes: 16 pairs; `multiply_add<c, a, b>` is
// c[m][n] += sum_{p < 16} a[m][2p] b[p][2n] + a[m][2p + 1] b[p][2n + 1]. Denormal factors and results count as zero.
#pragma once

#include <immintrin.h>

#include "core/base.h"

namespace fastcnn::amx {

inline constexpr int kTileRows = 16, kTileRowBytes = 64, kTileBytes = kTileRows * kTileRowBytes;

// What ldtilecfg reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

FC_INLINE void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" ::"m"(config)); }
FC_INLINE void release() { asm volatile("tilerelease"); }

// Rows that are `row_stride` bytes apart: by default they follow each other.
template <int t>
FC_INLINE void load_tile(const void* from, std::int64_t row_stride = kTileRowBytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_stride), "i"(t) : "memory");
}
template <int t>
FC_INLINE void store_tile(void* to) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(std::int64_t{kTileRowBytes}), "i"(t) : "memory");
}
template <int t>
FC_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(t));
}
template <int c, int a, int b>
FC_INLINE void multiply_add() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

}  // namespace fastcnn::amx

// Computes   a 2-D transpose of 4-byte items (the contract: ops/strided_copy.h, TransposeFn).
// Layout     rows of `from` are contiguous along cols, rows of `to` along rows; any pitch.
// Tile       8 x 8 items in 8 registers, transposed by 24 shuffles.
// Why        a tile reads and writes whole vectors, so memory sees no strided item, and 3 shuffles a register cost less
//            than its load and store from L2. AVX-512 tiles of 16 x 16 were tried: slower on every shape measured that
//            fits the caches, so there is no such row.
// Needs      nothing: edges are masked; a strip of at most 4 items is not worth the shuffles and is copied by items.
// Accuracy   moves bits.
#include "simd/avx2.h"

#include "ops/transpose/transpose.h"

namespace fastcnn::avx2 {
namespace {

// 8 x 8 items in registers: pairs of 4 bytes, then of 8, then of 16.
FC_INLINE void transpose_square(F32 (&a)[8]) {
  __m256 b[8], c[8];
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i].v, a[i + 1].v);
    b[i + 1] = _mm256_unpackhi_ps(a[i].v, a[i + 1].v);
  }
  for (int i = 0; i < 8; i += 4) {
    c[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    c[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
    c[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    c[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    a[i].v = _mm256_permute2f128_ps(c[i], c[i + 4], 0x20);
    a[i + 4].v = _mm256_permute2f128_ps(c[i], c[i + 4], 0x31);
  }
}

FC_INLINE void copy_items(const unsigned char* from, std::int64_t from_pitch, unsigned char* to, std::int64_t to_pitch,
                          std::int64_t rows, std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c)
    for (std::int64_t r = 0; r < rows; ++r)
      __builtin_memcpy(to + c * to_pitch + r * 4, from + r * from_pitch + c * 4, 4);
}

template <bool edge>
FC_INLINE void tile(const unsigned char* from, std::int64_t from_pitch, unsigned char* to, std::int64_t to_pitch,
                    std::int64_t rows, std::int64_t cols) {
  F32 a[F32::width];
#pragma GCC unroll 8
  for (int r = 0; r < F32::width; ++r) {
    const auto* p = reinterpret_cast<const float*>(from + r * from_pitch);
    a[r] = !edge ? load(p) : r < rows ? load(p, cols) : zero();
  }
  transpose_square(a);
#pragma GCC unroll 8
  for (int c = 0; c < F32::width; ++c) {
    auto* p = reinterpret_cast<float*>(to + c * to_pitch);
    if (!edge)
      store(p, a[c]);
    else if (c < cols)
      store(p, a[c], rows);
  }
}

}  // namespace

void transpose4(const unsigned char* from, std::int64_t from_pitch, unsigned char* to, std::int64_t to_pitch,
                std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kThin = 4;
  for (std::int64_t c = 0; c < cols; c += F32::width) {
    const std::int64_t nc = min_i64(F32::width, cols - c);
    for (std::int64_t r = 0; r < rows; r += F32::width) {
      const std::int64_t nr = min_i64(F32::width, rows - r);
      const unsigned char* source = from + r * from_pitch + c * 4;
      unsigned char* target = to + c * to_pitch + r * 4;
      if (nr == F32::width && nc == F32::width)
        tile<false>(source, from_pitch, target, to_pitch, nr, nc);
      else if (nr <= kThin || nc <= kThin)
        copy_items(source, from_pitch, target, to_pitch, nr, nc);
      else
        tile<true>(source, from_pitch, target, to_pitch, nr, nc);
    }
  }
}

}  // namespace fastcnn::avx2

// Computes   a 2-D transpose of 4-byte items (the contract: ops/strided_copy.h, TransposeFn).
// Layout     rows of `from` are contiguous along cols, rows of `to` along rows; any pitch.
// Tile       width x width items in `width` registers (8 x 8, 16 x 16), transposed by shuffles.
// Why        a tile reads and writes whole vectors, with AVX-512 whole cache lines, so memory sees no strided item;
//            3 (4) shuffles a register cost less than its load and store from L2.
// Needs      nothing: edges are masked; a strip of at most 4 items is not worth the shuffles and is copied by items.
// Accuracy   moves bits.
#include "ops/transpose/transpose.h"

namespace fastcnn::FC_SIMD {
namespace {

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
#pragma GCC unroll 16
  for (int r = 0; r < F32::width; ++r) {
    const auto* p = reinterpret_cast<const float*>(from + r * from_pitch);
    a[r] = !edge ? load(p) : r < rows ? load(p, cols) : zero();
  }
  transpose_square(a);
#pragma GCC unroll 16
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

}  // namespace fastcnn::FC_SIMD

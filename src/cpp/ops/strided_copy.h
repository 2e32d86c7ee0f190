// The engine of the rooms that only move data (slice, concat, transpose, space_depth, broadcast_to): a box of
// elements copied between two layouts, any dtype.
#pragma once

#include "core/tensor.h"

namespace fastcnn {

// Element (i0, i1, ...) goes from `from + sum(i * from_step)` to `to + sum(i * to_step)`. Steps are bytes; those of
// `from` may be negative (flip) or zero (broadcast). Axes are added in the order of the output, outermost first.
struct StridedCopy {
  const unsigned char* from = nullptr;
  unsigned char* to = nullptr;
  std::int64_t item = 0;  // bytes of one element
  int rank = 0;
  std::int64_t size[kMaxRank], from_step[kMaxRank], to_step[kMaxRank];

  // From x to y, item by item: without axes as yet.
  static FC_INLINE StridedCopy between(const Tensor& x, const Tensor& y) {
    StridedCopy box;
    box.from = x.as<unsigned char>(), box.to = y.as<unsigned char>();
    box.item = item_size(x.type.dtype);
    return box;
  }
  FC_INLINE void add_axis(std::int64_t n, std::int64_t from_bytes, std::int64_t to_bytes) {
    size[rank] = n, from_step[rank] = from_bytes, to_step[rank] = to_bytes;
    ++rank;
  }
};

// The same copy with as few axes and as long runs as the layouts allow: axes of one element are gone, axes that both
// layouts keep together are one, and the innermost axis is part of the item where it is contiguous in both.
FC_INLINE StridedCopy simplify(const StridedCopy& box) {
  StridedCopy s = box;
  s.rank = 0;
  for (int i = 0; i < box.rank; ++i) {
    const std::int64_t n = box.size[i], from = box.from_step[i], to = box.to_step[i];
    if (n == 1) continue;
    if (s.rank > 0 && s.from_step[s.rank - 1] == n * from && s.to_step[s.rank - 1] == n * to) {
      s.size[s.rank - 1] *= n;
      s.from_step[s.rank - 1] = from;
      s.to_step[s.rank - 1] = to;
    } else {
      s.add_axis(n, from, to);
    }
  }
  if (s.rank > 0 && s.from_step[s.rank - 1] == s.item && s.to_step[s.rank - 1] == s.item) s.item *= s.size[--s.rank];
  return s;
}

// Transposes rows x cols items: (r, c) goes from `from + r * from_pitch + c * item` to `to + c * to_pitch + r * item`.
// Pitches are bytes.
using TransposeFn = void (*)(const unsigned char* from, std::int64_t from_pitch, unsigned char* to,
                             std::int64_t to_pitch, std::int64_t rows, std::int64_t cols);

// Copies the box, in parallel: memcpy for contiguous runs, blocks where the innermost axes of the two layouts differ.
// `transpose4` does such a block of 4-byte items; nullptr: plain loops. The two memories must not overlap.
void strided_copy(const StridedCopy& box, TransposeFn transpose4 = nullptr);

}  // namespace fastcnn

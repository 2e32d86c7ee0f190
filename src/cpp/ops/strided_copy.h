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

  void add_axis(std::int64_t n, std::int64_t from_bytes, std::int64_t to_bytes) {
    size[rank] = n, from_step[rank] = from_bytes, to_step[rank] = to_bytes;
    ++rank;
  }
};

// Transposes rows x cols items: (r, c) goes from `from + r * from_pitch + c * item` to `to + c * to_pitch + r * item`.
// Pitches are bytes.
using TransposeFn = void (*)(const unsigned char* from, std::int64_t from_pitch, unsigned char* to,
                             std::int64_t to_pitch, std::int64_t rows, std::int64_t cols);

// Copies the box, in parallel: memcpy for contiguous runs, blocks where the innermost axes of the two layouts differ.
// `transpose4` does such a block of 4-byte items; nullptr: plain loops. The two memories must not overlap.
void strided_copy(const StridedCopy& box, TransposeFn transpose4 = nullptr);

}  // namespace fastcnn

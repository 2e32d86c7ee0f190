// What the next block of a sum of products reads, called into L2 piece by piece while this one is computed. For
// baseline files.
#pragma once

#include <span>

#include "core/base.h"

namespace fastcnn::gemm {

// Channels of pixels that follow each other.
struct Ahead {
  const unsigned char* next = nullptr;
  std::int64_t piece = 0, skip = 0, pieces = 0;  // bytes

  Ahead() = default;
  // In about `steps` pieces; a pixel is one where not all of its channels are read. `item`: bytes of a number.
  Ahead(const void* from, std::int64_t pixels, std::int64_t channels, std::int64_t all, std::int64_t item,
        std::int64_t steps)
      : next(static_cast<const unsigned char*>(from)),
        piece(channels * item),
        skip((all - channels) * item),
        pieces(pixels) {
    if (channels != all) return;
    piece = round_up(ceil_div(pixels * all * item, max_i64(1, steps)), 64);
    pieces = ceil_div(pixels * all * item, max_i64(1, piece));
  }
};

// What a product of so many steps calls in: a piece with each.
inline Ahead take(std::span<Ahead> all, std::int64_t steps) {
  for (Ahead& ahead : all) {
    if (ahead.pieces <= 0) continue;
    const Ahead taken = ahead;
    ahead.pieces -= steps;
    ahead.next += steps * (ahead.piece + ahead.skip);
    return taken;
  }
  return Ahead();
}

}  // namespace fastcnn::gemm

// Calls in what windows to the right will touch. The rows of a window are short runs of a picture, which the hardware
// does not foresee.
#pragma once

#include "ops/pool2d/pool2d.h"

namespace fastcnn::FC_SIMD {
namespace {

// How many pixels to the right it is due.
template <class Item>
FC_INLINE std::int64_t pixels_ahead(std::int64_t pitch) {
  constexpr std::int64_t kBytes = 2048;
  return ceil_div(kBytes, max_i64(1, pitch) * static_cast<std::int64_t>(sizeof(Item)));
}

// `pixels` of each row of a window, from `pixel` on.
template <int write, class Item>
FC_INLINE void call_in(const Item* pixel, std::int64_t row_pitch, std::int64_t pitch, PoolSpan h, std::int64_t pixels,
                       std::int64_t channels) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(Item));
  for (std::int64_t a = 0; a < h.count; ++a)
    for (std::int64_t q = 0; q < pixels; ++q)
      for (std::int64_t c = 0; c < channels; c += kLine)
        __builtin_prefetch(pixel + (h.first + a * h.step) * row_pitch + q * pitch + c, write);
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

// Pixels along one axis of a picture. For every file.
#pragma once

#include "core/window.h"

namespace fastcnn {

struct PixelRange {
  std::int64_t first, last;  // both included; last < first: none
};

// The windows along one axis that may hold pixel p.
FC_INLINE PixelRange windows_of(const WindowAxis& axis, std::int64_t p, std::int64_t outputs) {
  const std::int64_t at = p + axis.before;
  return {max_i64(0, ceil_div(at - (axis.size - 1) * axis.dilation, axis.stride)),
          min_i64(outputs - 1, divide(at, axis.stride))};
}

FC_INLINE bool window_holds(const WindowAxis& axis, std::int64_t out, std::int64_t p) {
  const std::int64_t at = p - axis.start(out);
  return axis.dilation == 1 || divide(at, axis.dilation) * axis.dilation == at;
}

}  // namespace fastcnn

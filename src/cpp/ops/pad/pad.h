// pad: x with `before` and `after` elements added to each axis. Any dtype. What the new elements are:
//
//   constant    `value` (which the dtype must be able to hold)
//   edge        the nearest element of x                                3 3 | 3 1 2 | 2 2
//   reflect     x mirrored at its first and last element                2 1 | 3 1 2 | 1 3
//   symmetric   x mirrored beyond its first and last element            1 3 | 3 1 2 | 2 1
//
// A mirror is not applied twice: reflect adds fewer elements than an axis has, symmetric at most as many.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class PadMode : std::int32_t { Constant, Edge, Reflect, Symmetric };

struct PadParams {
  std::int64_t before[kMaxRank] = {}, after[kMaxRank] = {};
  unsigned char value[8] = {};  // one item of x's dtype
  PadMode mode = PadMode::Constant;
  std::int32_t unused = 0;
};

// The element of an axis of n that output i shows, i counted from x's first element; -1: `value`.
FC_INLINE std::int64_t pad_source(PadMode mode, std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return i;
  switch (mode) {
    case PadMode::Constant: return -1;
    case PadMode::Edge: return i < 0 ? 0 : n - 1;
    case PadMode::Reflect: return i < 0 ? -i : 2 * (n - 1) - i;
    case PadMode::Symmetric: return i < 0 ? -1 - i : 2 * n - 1 - i;
  }
  return -1;
}

}  // namespace fastcnn

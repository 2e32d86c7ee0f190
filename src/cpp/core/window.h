// The sliding window that convolution and pooling share: sizes, strides, dilation, padding as numbers.
#pragma once

#include "core/base.h"

namespace fastcnn {

// One axis with its padding resolved to numbers. Output o reads inputs o*stride - before + k*dilation, k < size.
struct WindowAxis {
  std::int64_t size = 1, stride = 1, dilation = 1, before = 0, after = 0;

  FC_INLINE constexpr std::int64_t extent() const { return (size - 1) * dilation + 1; }
  FC_INLINE constexpr std::int64_t start(std::int64_t o) const { return o * stride - before; }
  // The taps [first, last) of output o that fall inside [0, n).
  FC_INLINE constexpr std::int64_t first_tap(std::int64_t o) const {
    const std::int64_t s = start(o);
    return s >= 0 ? 0 : min_i64(size, steps(-s));
  }
  FC_INLINE constexpr std::int64_t last_tap(std::int64_t o, std::int64_t n) const {
    const std::int64_t room = n - start(o);
    return room <= 0 ? 0 : min_i64(size, steps(room));
  }

 private:
  // Of `dilation` pixels that it takes to leave n behind; a division would take longer than a window of pixels.
  FC_INLINE constexpr std::int64_t steps(std::int64_t n) const { return dilation == 1 ? n : ceil_div(n, dilation); }
};

struct Window2d {
  WindowAxis h, w;
};

}  // namespace fastcnn

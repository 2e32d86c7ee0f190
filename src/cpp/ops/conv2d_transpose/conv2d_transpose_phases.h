// conv2d_transpose_phases: the kernel of a transposed convolution, (kh, kw, O, I), as that of a convolution of stride 1
// whose filters are the s x s pixels that each pixel of x becomes: (dh, dw, I, sh sw O), zeros where a pixel has no
// tap.
//
//   y = depth_to_space(conv2d(x, phases)),   in DCR order
//
// One group, no dilation.
#pragma once

#include "core/window.h"
#include "ops/problem.h"

namespace fastcnn {

// One axis: output pixel s q + r takes tap a from pixel q + d of x, d = (r + before - a) / s where that is whole.
struct SubpixelAxis {
  std::int64_t size, stride, before, first, last;  // of d

  constexpr explicit SubpixelAxis(const WindowAxis& w)
      : size(w.size), stride(w.stride), before(w.before), first(shift(0)), last(shift(0)) {
    for (std::int64_t a = 1; a < size; ++a) first = min_i64(first, shift(a)), last = max_i64(last, shift(a));
  }
  constexpr std::int64_t phase(std::int64_t a) const { return ((a - before) % stride + stride) % stride; }
  constexpr std::int64_t shift(std::int64_t a) const { return (phase(a) + before - a) / stride; }
  constexpr std::int64_t taps() const { return last - first + 1; }
  // The window of the convolution that has `out` pixels of the n of x.
  constexpr WindowAxis window(std::int64_t n, std::int64_t out) const {
    return {taps(), 1, 1, -first, out - 1 + taps() - n + first};
  }
};

}  // namespace fastcnn

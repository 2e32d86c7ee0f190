// resize: an NHWC picture at another size, each axis on its own, without antialiasing.
//
// Where output i of `out` lies in an axis of `in` pixels, computed in float32 as torch does:
//
//   coordinate      bilinear                          nearest
//   half_pixel      max(0, (i + 0.5) in/out - 0.5)    floor((i + 0.5) in/out)     Keras, torch, ONNX's default
//   align_corners   i (in - 1) / (out - 1)            the same, rounded half up   torch and TF 1 align_corners=True
//   asymmetric      i in/out                          floor(i in/out)             torch mode "nearest", ONNX, TF 1
//
//   nearest    any dtype, bit by bit. Enlarging by a whole number repeats every pixel exactly that often (but for
//              align_corners), also where rounding `in/out` would miss a pixel.
//   bilinear   float32: y = (1 - v) ((1 - u) x[top, left] + u x[top, right])
//                            + v ((1 - u) x[bottom, left] + u x[bottom, right])
//              where left = floor(position), u = position - left, right = min(left + 1, in - 1), likewise down; an Inf
//              or NaN in one of the four pixels counts also where its weight is 0.
//
// resize_gradient(dy): dx = the sum of dy times what each output takes of the pixel, over outputs in their order, row
// by row; float32.
//
// With out = 1, align_corners takes pixel 0. A picture without pixels cannot be resized.
#pragma once

#include "ops/pixel_range.h"
#include "ops/problem.h"

namespace fastcnn {

enum class Coordinate : std::int32_t { HalfPixel, AlignCorners, Asymmetric };

struct ResizeParams {
  std::int64_t height = 0, width = 0;
  Coordinate coordinate = Coordinate::HalfPixel;
  std::int32_t bilinear = 0;
  std::int64_t input_h = 0, input_w = 0;  // what gradients make
};

FC_INLINE float resize_scale(Coordinate coordinate, std::int64_t in, std::int64_t out) {
  if (coordinate != Coordinate::AlignCorners) return static_cast<float>(in) / static_cast<float>(out);
  return out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0f;
}

FC_INLINE std::int64_t nearest_source(Coordinate coordinate, std::int64_t i, std::int64_t in, std::int64_t out) {
  const float scale = resize_scale(coordinate, in, out);
  if (coordinate == Coordinate::AlignCorners) {
    const float position = times(static_cast<float>(i), scale);
    const std::int64_t below = static_cast<std::int64_t>(position);
    return min_i64(in - 1, below + (position - static_cast<float>(below) >= 0.5f));
  }
  if (const std::int64_t repeats = divide(out, in); repeats * in == out) return divide(i, repeats);
  const float position = coordinate == Coordinate::HalfPixel
                             ? static_cast<float>((static_cast<double>(i) + 0.5) * static_cast<double>(scale))
                             : times(static_cast<float>(i), scale);
  return min_i64(in - 1, static_cast<std::int64_t>(position));
}

// The two pixels that a bilinear output mixes along one axis, and the share of the second.
struct BilinearTap {
  std::int64_t first, second;
  float share;
};

FC_INLINE BilinearTap bilinear_tap(Coordinate coordinate, std::int64_t i, std::int64_t in, std::int64_t out) {
  const float scale = resize_scale(coordinate, in, out);
  float position = times(static_cast<float>(i), scale);
  if (coordinate == Coordinate::HalfPixel) {
    position = times(static_cast<float>(i) + 0.5f, scale) - 0.5f;
    if (position < 0.0f) position = 0.0f;
  }
  const std::int64_t first = min_i64(in - 1, static_cast<std::int64_t>(position));
  return {first, min_i64(in - 1, first + 1), position - static_cast<float>(first)};
}

// For gradients: the taps of every output along an axis, and for every input pixel the outputs that may take of it.
// Positions do not decrease, so these are neighbours.
FC_INLINE BilinearTap resize_tap(const ResizeParams& p, std::int64_t i, std::int64_t in, std::int64_t out) {
  if (p.bilinear) return bilinear_tap(p.coordinate, i, in, out);
  const std::int64_t source = nearest_source(p.coordinate, i, in, out);
  return {source, source, 0.0f};
}

FC_INLINE float share_of(const BilinearTap& tap, std::int64_t pixel) {
  return (tap.first == pixel ? 1 - tap.share : 0.0f) + (tap.second == pixel ? tap.share : 0.0f);
}

FC_INLINE void fill_taps(const ResizeParams& p, std::int64_t in, std::int64_t out, BilinearTap* taps,
                         PixelRange* takers) {
  for (std::int64_t i = 0; i < in; ++i) takers[i] = {0, -1};
  for (std::int64_t i = 0; i < out; ++i) {
    taps[i] = resize_tap(p, i, in, out);
    for (int k = 0; k < 2; ++k) {
      const std::int64_t pixel = k == 0 ? taps[i].first : taps[i].second;
      if (takers[pixel].last < takers[pixel].first) takers[pixel].first = i;
      takers[pixel].last = i;
    }
  }
}

// The taps of every output column, in elements; the vector kernels keep them in their workspace.
struct ResizeColumn {
  std::int64_t left, right;
  float keep, share;
};

// Rows of a task of the vector kernels: it depends on shapes only, like everything about how work is split.
FC_INLINE std::int64_t resize_task_rows(const Shape& y) { return max_i64(1, 16384 / max_i64(1, y[2] * y[3])); }
// Pictures of few channels are blended vertically into a row buffer first, one for every task.
FC_INLINE bool resize_few_channels(const Shape& y) { return y[3] <= 4; }

#define FC_RESIZE_KERNELS                       \
  void resize_bilinear(const KernelArgs& args); \
  void resize_gradient(const KernelArgs& args);

namespace ref {
FC_RESIZE_KERNELS
}
#if FC_X86
namespace avx2 {
FC_RESIZE_KERNELS
}
namespace avx512 {
FC_RESIZE_KERNELS
}
#endif
#undef FC_RESIZE_KERNELS

}  // namespace fastcnn

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
// With out = 1, align_corners takes pixel 0. A picture without pixels cannot be resized.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class Coordinate : std::int32_t { HalfPixel, AlignCorners, Asymmetric };

struct ResizeParams {
  std::int64_t height = 0, width = 0;
  Coordinate coordinate = Coordinate::HalfPixel;
  std::int32_t bilinear = 0;
};

FC_INLINE float resize_scale(Coordinate coordinate, std::int64_t in, std::int64_t out) {
  if (coordinate != Coordinate::AlignCorners) return static_cast<float>(in) / static_cast<float>(out);
  return out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0f;
}

FC_INLINE std::int64_t nearest_source(Coordinate coordinate, std::int64_t i, std::int64_t in, std::int64_t out) {
  const float scale = resize_scale(coordinate, in, out);
  if (coordinate == Coordinate::AlignCorners) {
    const float position = static_cast<float>(i) * scale;
    const std::int64_t below = static_cast<std::int64_t>(position);
    return min_i64(in - 1, below + (position - static_cast<float>(below) >= 0.5f));
  }
  if (out % in == 0) return i / (out / in);
  const float position = coordinate == Coordinate::HalfPixel
                             ? static_cast<float>((static_cast<double>(i) + 0.5) * static_cast<double>(scale))
                             : static_cast<float>(i) * scale;
  return min_i64(in - 1, static_cast<std::int64_t>(position));
}

// The two pixels that a bilinear output mixes along one axis, and the share of the second.
struct BilinearTap {
  std::int64_t first, second;
  float share;
};

FC_INLINE BilinearTap bilinear_tap(Coordinate coordinate, std::int64_t i, std::int64_t in, std::int64_t out) {
  const float scale = resize_scale(coordinate, in, out);
  float position = static_cast<float>(i) * scale;
  if (coordinate == Coordinate::HalfPixel) {
    position = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
    if (position < 0.0f) position = 0.0f;
  }
  const std::int64_t first = min_i64(in - 1, static_cast<std::int64_t>(position));
  return {first, min_i64(in - 1, first + 1), position - static_cast<float>(first)};
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

namespace ref {
void resize_bilinear(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void resize_bilinear(const KernelArgs& args);
}
namespace avx512 {
void resize_bilinear(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

// pool2d_gradient: the contract of pooling's gradients (the windows: pool2d.h). NHWC.
//
//   max_pool2d_gradient           operands x, y, dy: each output's dy goes to the first pixel of its window, row by
//   row,
//                                 that holds the maximum; where the maximum is NaN, to the first NaN
//   avg_pool2d_gradient           operand dy: dx = sum of dy / count over the windows that hold the pixel
//   adaptive_avg_pool2d_gradient  the same with adaptive pooling's windows
//
// Corner cases, the same for every kernel: a pixel that no window holds has gradient 0; a window that lies in the
// padding altogether gives to none; sums run over windows in their order, row by row.
#pragma once

#include "ops/pixel_range.h"
#include "ops/pool2d/pool2d.h"

namespace fastcnn {

FC_INLINE PixelRange adaptive_windows_of(std::int64_t p, std::int64_t in_size, std::int64_t outputs) {
  return {divide(p * outputs, in_size), ceil_div((p + 1) * outputs, in_size) - 1};
}

// Whether the windows along an axis hold each pixel exactly once.
FC_INLINE bool tiles_axis(const WindowAxis& axis, std::int64_t in_size, std::int64_t outputs) {
  return axis.stride == axis.size && axis.dilation == 1 && axis.before == 0 && outputs * axis.size >= in_size;
}

// The same of both axes, of max_pool2d_gradient.
FC_INLINE bool windows_tile(const Problem& problem) {
  const Window2d& w = problem.as<Pool2dParams>().window;
  const Shape &x = problem.inputs[0].shape, &y = problem.inputs[1].shape;
  return tiles_axis(w.h, x[1], y[1]) && tiles_axis(w.w, x[2], y[2]);
}

#define FC_POOL2D_GRADIENT_KERNELS                  \
  void max_pool2d_gradient(const KernelArgs& args); \
  void avg_pool2d_gradient(const KernelArgs& args); \
  void adaptive_avg_pool2d_gradient(const KernelArgs& args);

namespace ref {
FC_POOL2D_GRADIENT_KERNELS
}
#if FC_X86
namespace avx2 {
FC_POOL2D_GRADIENT_KERNELS
}
namespace avx512 {
FC_POOL2D_GRADIENT_KERNELS
}
#endif
#undef FC_POOL2D_GRADIENT_KERNELS

}  // namespace fastcnn

// pool2d: the contract of max, average and adaptive average pooling on NHWC pictures.
//
//   max_pool2d           y[n,i,j,c] = max  of x[n,p,q,c] over the window's pixels inside the picture
//   avg_pool2d           y[n,i,j,c] = sum of the same / number of pixels counted
//   max_pool2d_indices   where that maximum is, as p W + q (int64): of its first pixel row by row, or of the first NaN
//   adaptive_avg_pool2d  the window of output i is the pixels floor(i H / OH) .. ceil((i+1) H / OH) - 1
//
// The maximum of a picture stored in bfloat16 is stored so too, where a row takes it.
// Corner cases, the same for every kernel:
//   - a NaN in the window makes the maximum NaN;
//   - padding never wins a maximum and adds nothing to a sum; it is counted in the average's denominator only with
//     count_include_pad, and then only the declared padding, not what ceil mode lets the last window overhang;
//   - a window that lies in the padding altogether gives -inf (max), -1 (indices) or 0 (average);
//   - sums run over the window's rows, then columns, in that order.
#pragma once

#include "ops/problem.h"
#include "ops/window.h"

namespace fastcnn {

struct Pool2dParams {
  Window2d window;                              // not read by adaptive pooling
  std::int64_t adaptive_h = 0, adaptive_w = 0;  // output size of adaptive pooling
  std::int32_t count_include_pad = 0;
  std::int32_t ceil_mode = 0;
  std::int64_t input_h = 0, input_w = 0;  // what gradients make
};

// The pixels of one axis that one output reads: first, first + step, ... (count of them), and how many
// positions of this axis the average's denominator counts.
struct PoolSpan {
  std::int64_t first, step, count, counted;
};

FC_INLINE PoolSpan window_span(const WindowAxis& axis, bool include_pad, std::int64_t out, std::int64_t in_size) {
  const std::int64_t begin = axis.first_tap(out), end = axis.last_tap(out, in_size);
  const std::int64_t inside = max_i64(0, end - begin);
  const std::int64_t padded = axis.last_tap(out, in_size + axis.after);
  return {axis.start(out) + begin * axis.dilation, axis.dilation, inside, include_pad ? padded : inside};
}

// Outputs that follow each other whose spans differ by `shift` alone.
struct PoolRun {
  PoolSpan span;  // of the first
  std::int64_t outputs, shift;
};

// From output `out` on: those whose windows lie within the picture, or one.
FC_INLINE PoolRun window_run(const WindowAxis& axis, bool include_pad, std::int64_t out, std::int64_t in_size) {
  const std::int64_t room = in_size - axis.extent() - axis.start(out);
  const bool inside = axis.start(out) >= 0 && room >= 0;
  return {window_span(axis, include_pad, out, in_size), inside ? divide(room, axis.stride) + 1 : 1, axis.stride};
}

FC_INLINE PoolSpan adaptive_span(std::int64_t out, std::int64_t in_size, std::int64_t out_size) {
  const std::int64_t begin = divide(out * in_size, out_size), end = ceil_div((out + 1) * in_size, out_size);
  return {begin, 1, end - begin, end - begin};
}

#define FC_POOL2D_KERNELS                          \
  void max_pool2d(const KernelArgs& args);         \
  void max_pool2d_indices(const KernelArgs& args); \
  void avg_pool2d(const KernelArgs& args);         \
  void adaptive_avg_pool2d(const KernelArgs& args);

namespace ref {
FC_POOL2D_KERNELS
}  // namespace ref
#if FC_X86
namespace avx2 {
FC_POOL2D_KERNELS
}
namespace avx512 {
FC_POOL2D_KERNELS
}
#endif
#undef FC_POOL2D_KERNELS

}  // namespace fastcnn

// conv2d_transpose: the contract of transposed convolution of NHWC pictures, which is conv2d's data gradient.
//
//   y[n, p, q, g F + o] = act( sum x[n,i,j,g I + c] w[a,b,o,g I + c] + bias[g F + o] + residual[n,p,q,g F + o] )
//   over all i, j, a, b, c with  p = i sh - top + a dh  and  q = j sw - left + b dw;
//   I = channels / groups of x, F = filters / groups of y.
//
// The kernel is (height, width, filters / groups, channels): Keras' layout, and the very array of the conv2d whose data
// gradient this is.
// Size of y along an axis, e = (k - 1) d + 1:
//   "valid"   (n - 1) s + max(e, s),  with output_padding (n - 1) s + e + output_padding;   before = 0
//   "same"    n s,                    with output_padding (n - 1) s + e % 2 + output_padding;
//             before = floor(max(0, (n - 1) s + e - size) / 2)                                     (Keras 3,
//             TensorFlow)
//   numbers   (n - 1) s - before - after + e + output_padding                                      (torch)
// x, the residual and the result may be stored in bfloat16 (`Epilogue::result`), where a row says that it takes it.
// Operands: x, w, then bias (filters) and residual (the shape of y) when the Epilogue says so.
// Corner cases, the same for every kernel: pixels that no input reaches get act(bias + residual); whether a non-finite
// weight that meets no pixel gives NaN or nothing is open. Sums run over a, b, c, each upwards or downwards.
#pragma once

#include <numeric>

#include "core/epilogue.h"
#include "gemm/split.h"
#include "ops/problem.h"
#include "ops/window.h"

namespace fastcnn {

struct Conv2dTransposeParams {
  Window2d window;  // `after` is not read: the sizes of y say it all
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t groups = 1;
  std::int64_t channels = 0;  // of x
  std::int64_t filters = 0;   // channels of y
  Epilogue epilogue;

  FC_INLINE constexpr std::int64_t group_channels() const { return channels / groups; }
  FC_INLINE constexpr std::int64_t group_filters() const { return filters / groups; }
};

// A phase of the stride, along one axis: the outputs p with the same p mod s, which meet the same taps, are those of a
// convolution of stride 1 with a smaller kernel. Outputs first, first + s, ... (count of them); its tap t is the
// kernel's tap last_tap - t * tap_step.
struct PhaseAxis {
  WindowAxis window;
  std::int64_t first, count, last_tap, tap_step;

  PhaseAxis(const WindowAxis& axis, std::int64_t phase, std::int64_t outputs) : first(phase) {
    count = outputs > phase ? ceil_div(outputs - phase, axis.stride) : 0;
    const std::int64_t common = std::gcd(axis.stride, axis.dilation);
    tap_step = axis.stride / common;
    const std::int64_t offset = phase + axis.before;  // output phase + q s meets inputs q + (offset - a d) / s
    std::int64_t tap = 0;
    while (tap < axis.size && tap < tap_step && (offset - tap * axis.dilation) % axis.stride != 0) ++tap;
    window.dilation = axis.dilation / common;
    window.size = tap < axis.size && tap < tap_step ? (axis.size - 1 - tap) / tap_step + 1 : 0;
    last_tap = tap + (window.size - 1) * tap_step;
    window.before = window.size > 0 ? (last_tap * axis.dilation - offset) / axis.stride : 0;
  }
};

namespace ref {
void conv2d_transpose(const KernelArgs& args);
}

#if FC_X86
// conv2d_transpose_gemm.cpp: a product for each phase of the stride, by one of the engines of gemm/.
template <const auto& engine>
struct TransposeProduct {
  static void run(const KernelArgs& args);
  static void pack(const KernelArgs& args);
  static std::int64_t packed_size(const Params& params);  // in floats
};

// conv2d_transpose_gemm.cpp, too: the same on pictures stored in bfloat16 (ops/bf16_windows.h).
template <const gemm::SplitEngine& engine>
void conv2d_transpose_bf16(const KernelArgs& args);
void conv2d_transpose_bf16_pack(const KernelArgs& args);
const char* conv2d_transpose_bf16_declines(const Problem& problem);
std::int64_t conv2d_transpose_bf16_packed_size(const Conv2dTransposeParams& params);  // floats
std::int64_t conv2d_transpose_workspace(const Problem& problem);
#endif

}  // namespace fastcnn

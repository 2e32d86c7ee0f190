// conv2d: the contract of two-dimensional convolution (cross-correlation) of NHWC pictures with HWIO kernels.
//
//   y[n,i,j,o] = act( sum_{a,b,c} x[n, i sh - top + a dh, j sw - left + b dw, g I + c] w[a,b,c,o]
//                     + bias[o] + residual[n,i,j,o] ),   I = C / groups input channels a group, g the group of o
//
// Operands: x, w, then bias (O) and residual (the shape of y) when the Epilogue says so.
// Corner cases, the same for every kernel:
//   - pixels outside the picture are zeros; whether a non-finite weight that meets one gives NaN or nothing is open;
//   - a non-finite pixel or weight reaches every output that depends on it, as NaN or infinity; a kernel that computes
//     tiles of outputs together (Winograd) may let it reach the others of the tile, one that multiplies pictures stored
//     in bfloat16 by steps of 32 terms those whose row of a window ends less than 32 numbers before the pixel, as NaN;
//   - x, the residual and the result may be stored in bfloat16 (`Epilogue::result`), where a row says that it takes it;
//   - sums run over a, b, c in that order, in float32, the bias before or after them; residual and activation follow.
#pragma once

#include "core/epilogue.h"
#include "gemm/split.h"
#include "ops/problem.h"
#include "ops/window.h"

namespace fastcnn {

// The kernel's sizes are kept here because a kernel may get it packed, as a flat array.
struct Conv2dParams {
  Window2d window;
  std::int64_t groups = 1;
  std::int64_t channels = 0;  // of x
  std::int64_t filters = 0;   // channels of y
  Epilogue epilogue;

  FC_INLINE constexpr std::int64_t group_channels() const { return channels / groups; }
  FC_INLINE constexpr std::int64_t group_filters() const { return filters / groups; }
  // Terms of one output's sum.
  FC_INLINE constexpr std::int64_t depth() const { return window.h.size * window.w.size * group_channels(); }
};

namespace ref {
void conv2d(const KernelArgs& args);
}

namespace winograd {
// Of the rows of every device.
inline const char* declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const auto& [h, w] = p.window;
  if (h.size != 3 || w.size != 3) return "takes 3 x 3 kernels only";
  if (h.stride != 1 || w.stride != 1 || h.dilation != 1 || w.dilation != 1) return "takes strides and dilation 1 only";
  if (p.groups != 1) return "takes one group only";
  return nullptr;
}
}  // namespace winograd

#if FC_X86
// conv2d_gemm.cpp: the matrix-product engine of each instruction set over rows of pointers into the picture.
namespace avx2 {
void conv2d(const KernelArgs& args);
void conv2d_pack(const KernelArgs& args);
}  // namespace avx2
namespace avx512 {
void conv2d(const KernelArgs& args);
void conv2d_pack(const KernelArgs& args);
}  // namespace avx512
namespace amx {
void conv2d_bf16x6(const KernelArgs& args);
void conv2d_bf16x6_pack(const KernelArgs& args);
void conv2d_bf16x3(const KernelArgs& args);
void conv2d_bf16x3_pack(const KernelArgs& args);
void conv2d_bf16(const KernelArgs& args);
}  // namespace amx
namespace avx512bf16 {
void conv2d_bf16(const KernelArgs& args);
void conv2d_bf16_pack(const KernelArgs& args);  // for AMX, too
}  // namespace avx512bf16

// conv2d_bf16.cpp: the picture is stored in bfloat16.
template <const gemm::SplitEngine& engine>
void conv2d_bf16_picture(const KernelArgs& args);
void conv2d_bf16_picture_pack(const KernelArgs& args);
const char* conv2d_bf16_declines(const Problem& problem);
std::int64_t conv2d_workspace(const Problem& problem);

// conv2d_winograd.cpp: transforms around the same engine, for 3 x 3 kernels.
namespace winograd {
struct Transforms;
void convolve(const Transforms& transforms, const KernelArgs& args);
const char* yields(const Transforms& transforms, const Problem& problem);
std::int64_t workspace(const Transforms& transforms, const Problem& problem);
void pack(const Transforms& transforms, const KernelArgs& args);
std::int64_t packed_size(const Transforms& transforms, const Conv2dParams& params);  // in floats
}  // namespace winograd
#endif

}  // namespace fastcnn

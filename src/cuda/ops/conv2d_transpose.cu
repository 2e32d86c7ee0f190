// Computes   conv2d_transpose as one product for each phase of the stride (PhaseAxis): the pixels of x that a phase's
//            windows see by the taps that meet them, its sums being every s-th pixel of y.
// Layout     x and y NHWC, in place. w (height, width, filters, channels) is turned into the kernel of a convolution of
//            stride 1 first (conv2d_adjoint_kernel), in the workspace: filters that lie together are what the products
//            read fastest. The batch of a product are groups, and phases of as many pixels and taps.
// Threads    and tiles: gemm/. Functors find a window's pixels, a tap of the phase, a pixel of the phase in y.
// Why        no product with the zeros between the pixels (1 - 1/s^2 of all), and each output is one sum: no atomics.
//            Where s divides the sizes, all phases are one launch, that fills a device with few pixels, too.
// Bounds     multiply-adds; with few channels the memory that y is written to.
// Needs      axes of less than 2^30 pixels.
// Accuracy   that of a sequential sum in float32.
// Source     W. Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016.
#include "ops/conv2d_transpose.cuh"

#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "conv2d_transpose_f32_cuda";

void run(const KernelArgs& args) {
  convolve_transposed(kName, args,
                      [&](const auto& sizes, const auto& windows, const auto& taps, const auto& pixels, float* sums) {
                        gemm::launch_split(kName, args, sizes, windows, taps, pixels, sums);
                      });
}

constexpr KernelInfo kRows[] = {
    {.name = "conv2d_transpose_f32_bf16_cuda",
     .device = Device::Cuda,
     .precision = Precision::Medium,
     .run = Conv2dTransposeMma<1>::run,
     .declines = Conv2dTransposeMma<1>::declines,
     .yields = Conv2dTransposeMma<1>::yields,
     .workspace = conv2d_transpose_workspace},
    {.name = "conv2d_transpose_f32_bf16x3_cuda",
     .device = Device::Cuda,
     .precision = Precision::High,
     .run = Conv2dTransposeMma<2>::run,
     .declines = Conv2dTransposeMma<2>::declines,
     .yields = Conv2dTransposeMma<2>::yields,
     .workspace = conv2d_transpose_workspace},
    {.name = "conv2d_transpose_f32_bf16x6_cuda",
     .device = Device::Cuda,
     .run = Conv2dTransposeMma<3>::run,
     .declines = Conv2dTransposeMma<3>::declines,
     .yields = Conv2dTransposeMma<3>::yields,
     .workspace = conv2d_transpose_workspace},
    {.name = kName,
     .device = Device::Cuda,
     .run = run,
     .declines = conv2d_transpose_declines,
     .workspace = conv2d_transpose_workspace},
};
constexpr OpRows kOps[] = {{"conv2d_transpose", kRows}};

}  // namespace

std::span<const OpRows> conv2d_transpose_rows() { return kOps; }

}  // namespace fastcnn::cuda

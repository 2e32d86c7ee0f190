// conv2d: the kernel table, and the rows in float32. The product that it is stands in conv2d_product.cuh.
#include "gemm/direct.cuh"
#include "gemm/ffma.cuh"
#include "ops/conv2d_product.cuh"
#include "ops/conv2d_winograd.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

void run_gemm(const KernelArgs& args) {
  convolve(args, [&](const gemm::Sizes& sizes, const auto& picture, const auto& kernel, const auto& result) {
    gemm::launch_split("conv2d_f32_gemm_cuda", args, sizes, picture, kernel, result,
                       static_cast<float*>(args.workspace));
  });
}

void run_direct(const KernelArgs& args) {
  const Conv2dProduct<false> product(args);
  gemm::launch_direct("conv2d_f32_direct_cuda", args, conv2d_sizes(args.problem), product.picture, product.kernel,
                      product.result);
}
// Not measured on hardware: a tile of 128 x 32 against about twenty instructions for each multiply-add.
const char* yields_direct(const Problem& problem) {
  return problem.as<Conv2dParams>().group_filters() > 2 ? "tiles of a group's filters are not nearly empty" : nullptr;
}

constexpr KernelInfo kRows[] = {
    {.name = "conv2d_f32_direct_cuda",
     .device = Device::Cuda,
     .run = run_direct,
     .declines = conv2d_declines,
     .yields = yields_direct},
    {.name = "conv2d_f32_bf16_cuda",
     .device = Device::Cuda,
     .precision = Precision::Medium,
     .run = Conv2dMma<1>::run,
     .declines = Conv2dMma<1>::declines,
     .yields = Conv2dMma<1>::yields,
     .workspace = conv2d_workspace},
    {.name = "conv2d_f32_bf16x3_cuda",
     .device = Device::Cuda,
     .precision = Precision::High,
     .run = Conv2dMma<2>::run,
     .declines = Conv2dMma<2>::declines,
     .yields = Conv2dMma<2>::yields,
     .workspace = conv2d_workspace},
    {.name = "conv2d_f32_winograd4_cuda",
     .device = Device::Cuda,
     .run = winograd::Convolution<4>::run,
     .declines = winograd::Convolution<4>::declines,
     .yields = winograd::Convolution<4>::yields,
     .workspace = winograd::Convolution<4>::workspace},
    {.name = "conv2d_f32_bf16x6_cuda",
     .device = Device::Cuda,
     .run = Conv2dMma<3>::run,
     .declines = Conv2dMma<3>::declines,
     .yields = Conv2dMma<3>::yields,
     .workspace = conv2d_workspace},
    {.name = "conv2d_f32_winograd2_cuda",
     .device = Device::Cuda,
     .run = winograd::Convolution<2>::run,
     .declines = winograd::Convolution<2>::declines,
     .yields = winograd::Convolution<2>::yields,
     .workspace = winograd::Convolution<2>::workspace},
    {.name = "conv2d_f32_gemm_cuda",
     .device = Device::Cuda,
     .run = run_gemm,
     .declines = conv2d_declines,
     .workspace = conv2d_workspace},
};
constexpr OpRows kOps[] = {{"conv2d", kRows}};

}  // namespace

std::span<const OpRows> conv2d_rows() { return kOps; }

}  // namespace fastcnn::cuda

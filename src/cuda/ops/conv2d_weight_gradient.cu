// Computes   conv2d_weight_gradient as one product a group: dw[(a, b, c), o] sums, over the pixels of dy, what tap (a,
//            b) saw of channel c by dy's filter o. Few results, long sums: these are cut into parts, added up in order.
// Layout     x and dy NHWC, read in place: of both the lines of the product, channels and filters, lie together. The
//            parts' sums are in the workspace.
// Threads    and tiles: gemm/.
// Why        no copy of windows; as many parts as fill a device whatever the shape, and no atomics, so that the bits
//            are the same on every run.
// Bounds     multiply-adds; with few channels and filters the memory that x and dy are read from.
// Needs      axes of less than 2^30 pixels.
// Accuracy   a chain of fused multiply-adds over the pixels of a part, then over the parts.
#include "ops/conv2d_weight_gradient.cuh"

#include "ops/conv2d_winograd.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "conv2d_weight_gradient_f32_cuda";

void run(const KernelArgs& args) {
  sum_outer_products(args, [&](const gemm::Sizes& sizes, const auto& seen, const auto& dy, const auto& dw) {
    gemm::launch_split(kName, args, sizes, seen, dy, dw, static_cast<float*>(args.workspace));
  });
}

constexpr KernelInfo kRows[] = {
    {.name = "conv2d_weight_gradient_f32_bf16_cuda",
     .device = Device::Cuda,
     .precision = Precision::Medium,
     .run = WeightGradientMma<1>::run,
     .declines = WeightGradientMma<1>::declines,
     .yields = WeightGradientMma<1>::yields,
     .workspace = weight_gradient_workspace},
    {.name = "conv2d_weight_gradient_f32_bf16x3_cuda",
     .device = Device::Cuda,
     .precision = Precision::High,
     .run = WeightGradientMma<2>::run,
     .declines = WeightGradientMma<2>::declines,
     .yields = WeightGradientMma<2>::yields,
     .workspace = weight_gradient_workspace},
    {.name = "conv2d_weight_gradient_f32_winograd4_cuda",
     .device = Device::Cuda,
     .run = winograd::WeightGradient::run,
     .declines = winograd::WeightGradient::declines,
     .yields = winograd::WeightGradient::yields,
     .workspace = winograd::WeightGradient::workspace},
    {.name = "conv2d_weight_gradient_f32_bf16x6_cuda",
     .device = Device::Cuda,
     .run = WeightGradientMma<3>::run,
     .declines = WeightGradientMma<3>::declines,
     .yields = WeightGradientMma<3>::yields,
     .workspace = weight_gradient_workspace},
    {.name = kName,
     .device = Device::Cuda,
     .run = run,
     .declines = weight_gradient_declines,
     .workspace = weight_gradient_workspace},
};
constexpr OpRows kOps[] = {{"conv2d_weight_gradient", kRows}};

}  // namespace

std::span<const OpRows> conv2d_weight_gradient_rows() { return kOps; }

}  // namespace fastcnn::cuda

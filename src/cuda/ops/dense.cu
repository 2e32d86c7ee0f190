// dense and matmul: the kernel tables, and the rows in float32. The product is dense_product.cuh.
#include "gemm/ffma.cuh"
#include "gemm/mma.cuh"
#include "ops/dense_product.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

void dense(const char* name, const KernelArgs& args) {
  const bool plain =
      multiply_plain(args, [&](const gemm::Sizes& sizes, const auto& x, const auto& w, const auto& result) {
        gemm::launch_split(name, args, sizes, x, w, result, static_cast<float*>(args.workspace));
      });
  if (!plain) dense_turned(name, args);
}

const char* mma_declines(const Problem&) { return gemm::mma_declines(); }
template <int parts>
const char* mma_yields(const Problem& problem) {
  return gemm::mma_yields(dense_sizes(problem.as<DenseParams>()), parts);
}

constexpr KernelInfo kDense[] = {
    {.name = "dense_f32_thin_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense_thin("dense_f32_thin_cuda", args); },
     .declines = dense_thin_declines,
     .workspace = dense_thin_workspace},
    {.name = "dense_f32_bf16_cuda",
     .device = Device::Cuda,
     .precision = Precision::Medium,
     .run = [](const KernelArgs& args) { dense_mma<1>("dense_f32_bf16_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<1>,
     .workspace = dense_workspace},
    {.name = "dense_f32_bf16x3_cuda",
     .device = Device::Cuda,
     .precision = Precision::High,
     .run = [](const KernelArgs& args) { dense_mma<2>("dense_f32_bf16x3_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<2>,
     .workspace = dense_workspace},
    {.name = "dense_f32_bf16x6_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense_mma<3>("dense_f32_bf16x6_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<3>,
     .workspace = dense_workspace},
    {.name = "dense_f32_gemm_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense("dense_f32_gemm_cuda", args); },
     .workspace = dense_workspace},
};
constexpr KernelInfo kMatmul[] = {
    {.name = "matmul_f32_thin_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense_thin("matmul_f32_thin_cuda", args); },
     .declines = dense_thin_declines,
     .workspace = dense_thin_workspace},
    {.name = "matmul_f32_bf16_cuda",
     .device = Device::Cuda,
     .precision = Precision::Medium,
     .run = [](const KernelArgs& args) { dense_mma<1>("matmul_f32_bf16_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<1>,
     .workspace = dense_workspace},
    {.name = "matmul_f32_bf16x3_cuda",
     .device = Device::Cuda,
     .precision = Precision::High,
     .run = [](const KernelArgs& args) { dense_mma<2>("matmul_f32_bf16x3_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<2>,
     .workspace = dense_workspace},
    {.name = "matmul_f32_bf16x6_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense_mma<3>("matmul_f32_bf16x6_cuda", args); },
     .declines = mma_declines,
     .yields = mma_yields<3>,
     .workspace = dense_workspace},
    {.name = "matmul_f32_gemm_cuda",
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { dense("matmul_f32_gemm_cuda", args); },
     .workspace = dense_workspace},
};
constexpr OpRows kOps[] = {{"dense", kDense}, {"matmul", kMatmul}};

}  // namespace

std::span<const OpRows> dense_rows() { return kOps; }

}  // namespace fastcnn::cuda

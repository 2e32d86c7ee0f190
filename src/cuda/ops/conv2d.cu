#include "core/cuda.h"
#include "gemm/ffma.cuh"
#include "gemm/operand.cuh"
#include "ops/conv2d/conv2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {
using namespace gemm;

void run_gemm(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const Sizes sizes{p.groups, y[0] * y[1] * y[2], p.group_filters(), p.depth()};
  const EpilogueOperands operands(p.epilogue, args, 2);
  const float* w = args.in[1].as<float>();
  const auto multiply = [&]<bool wide>() {
    launch_ffma("conv2d_f32_gemm_cuda", args, sizes, Parts{},
                Windows<wide ? Lie::Terms : Lie::Apart>(args.in[0].as<float>(), x, p.window, y[1], y[2], p.groups),
                Matrix<wide ? Lie::Lines : Lie::Apart>{w, 1, p.filters, p.group_filters()},
                Finish<wide>(p.epilogue, operands, args.out[0].as<float>(), p.filters, p.group_filters(),
                             p.group_filters()));
  };
  multiply.template operator()<true>();
  multiply.template operator()<false>();
}
constexpr KernelInfo kRows[] = {{.name = "conv2d_f32_gemm_cuda", .device = Device::Cuda, .run = run_gemm}};
constexpr OpRows kOps[] = {{"conv2d", kRows}};
}  // namespace

std::span<const OpRows> conv2d_rows() { return kOps; }

}  // namespace fastcnn::cuda

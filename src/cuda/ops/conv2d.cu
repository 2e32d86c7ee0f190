// conv2d as a product: rows are the pixels of the result, columns the filters of a group, the sum goes over the window.
// The picture is never copied: gemm::Windows finds its elements (an "implicit" product). In the batch are the groups.
#include "gemm/ffma.cuh"
#include "gemm/mma.cuh"
#include "gemm/operand.cuh"
#include "ops/conv2d/conv2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

using namespace gemm;

Sizes sizes_of(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  return {p.groups, y[0] * y[1] * y[2], p.group_filters(), p.depth()};
}

// Calls multiply(sizes, picture, kernel, result), all of them read in vectors or none.
template <class Multiply>
void convolve(const KernelArgs& args, const Multiply& multiply) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape& y = args.out[0].shape();
  const auto *x = args.in[0].as<float>(), *w = args.in[1].as<float>();
  const auto with = [&]<bool wide>() {
    const Windows<wide ? Lie::Terms : Lie::Apart> picture(x, args.in[0].shape(), p.window, y[1], y[2], p.groups);
    const Matrix<wide ? Lie::Lines : Lie::Apart> kernel{w, 1, p.filters, p.group_filters()};
    const Finish<wide> result(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.filters,
                              p.group_filters(), p.group_filters());
    if constexpr (wide) {
      if (p.group_channels() % 4 != 0 || p.group_filters() % 4 != 0 || !aligned(x) || !aligned(w) || !result.vectors())
        return false;
    }
    multiply(sizes_of(args.problem), picture, kernel, result);
    return true;
  };
  if (!with.template operator()<true>()) with.template operator()<false>();
}

void run_gemm(const KernelArgs& args) {
  convolve(args, [&](const Sizes& sizes, const auto& picture, const auto& kernel, const auto& result) {
    launch_ffma("conv2d_f32_gemm_cuda", args, sizes, Parts{}, picture, kernel, result);
  });
}

constexpr KernelInfo kRows[] = {{.name = "conv2d_f32_gemm_cuda", .device = Device::Cuda, .run = run_gemm}};
constexpr OpRows kOps[] = {{"conv2d", kRows}};
}  // namespace

std::span<const OpRows> conv2d_rows() { return kOps; }

}  // namespace fastcnn::cuda

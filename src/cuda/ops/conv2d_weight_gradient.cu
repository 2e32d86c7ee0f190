// Computes   conv2d_weight_gradient as one product a group: dw[(a, b, c), o] sums, over the pixels of dy, what tap (a,
// b)
//            saw of channel c by dy's filter o. Few results, long sums: these are cut into parts, added up in order.
// Layout     x and dy NHWC, read in place: of both the lines of the product, channels and filters, lie together. The
//            parts' sums are in the workspace.
// Threads    and tiles: gemm/.
// Why        no copy of windows; as many parts as fill a device whatever the shape, and no atomics, so that the bits
// are
//            the same on every run.
// Bounds     multiply-adds; with few channels and filters the memory that x and dy are read from.
// Needs      axes of less than 2^30 pixels.
// Accuracy   a chain of fused multiply-adds over the pixels of a part, then over the parts.
#include "ops/conv2d/conv2d_gradients.h"

#include "core/launch.h"
#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/conv2d_winograd.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

using gemm::Lie;

constexpr const char* kName = "conv2d_weight_gradient_f32_cuda";

gemm::Sizes sizes_of(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return {.batch = p.groups,
          .rows = p.depth(),
          .columns = p.group_filters(),
          .depth = problem.inputs[1].shape.product(0, 3)};
}

template <Lie of_x, Lie of_dy, bool wide>
void multiply(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.in[1].shape();
  const gemm::Turned a(gemm::Windows<of_x>(args.in[0].as<float>(), x, p.window, y[1], y[2], p.groups),
                       p.group_channels());
  const gemm::Matrix<of_dy> b{
      .data = args.in[1].as<float>(), .line_stride = 1, .term_stride = p.filters, .batch_stride = p.group_filters()};
  const gemm::Finish<wide> finish(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.filters,
                                  p.group_filters(), 0);
  gemm::launch_split(kName, args, sizes_of(args.problem), a, b, finish, static_cast<float*>(args.workspace));
}

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const bool channels = p.group_channels() % 4 == 0 && gemm::aligned(args.in[0].data);
  const bool filters = p.group_filters() % 4 == 0 && gemm::aligned(args.in[1].data) && gemm::aligned(args.out[0].data);
  if (channels && filters)
    multiply<Lie::Terms, Lie::Lines, true>(args);
  else if (filters)
    multiply<Lie::Apart, Lie::Lines, true>(args);
  else
    multiply<Lie::Apart, Lie::Apart, false>(args);
}

const char* declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return gemm::Windows<Lie::Apart>::fits(problem.inputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "counts pixels in 30 bits";
}

std::int64_t workspace(const Problem& problem) { return gemm::split_workspace(sizes_of(problem)); }

constexpr KernelInfo kRows[] = {
    {.name = "conv2d_weight_gradient_f32_winograd4_cuda",
     .device = Device::Cuda,
     .run = winograd::WeightGradient::run,
     .declines = winograd::WeightGradient::declines,
     .yields = winograd::WeightGradient::yields,
     .workspace = winograd::WeightGradient::workspace},
    {.name = kName, .device = Device::Cuda, .run = run, .declines = declines, .workspace = workspace},
};
constexpr OpRows kOps[] = {{"conv2d_weight_gradient", kRows}};

}  // namespace

std::span<const OpRows> conv2d_weight_gradient_rows() { return kOps; }

}  // namespace fastcnn::cuda

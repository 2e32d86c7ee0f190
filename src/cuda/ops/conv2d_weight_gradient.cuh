// conv2d_weight_gradient as a product: rows are the taps and channels of a group, columns its filters, the sum goes
// over the pixels of dy. In the batch are the groups.
#pragma once

#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/conv2d/conv2d_gradients.h"

namespace fastcnn::cuda {

inline gemm::Sizes weight_gradient_sizes(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return {.batch = p.groups,
          .rows = p.depth(),
          .columns = p.group_filters(),
          .depth = problem.inputs[1].shape.product(0, 3)};
}
inline std::int64_t weight_gradient_workspace(const Problem& problem) {
  return gemm::split_workspace(weight_gradient_sizes(problem));
}

inline const char* weight_gradient_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return gemm::Windows<gemm::Lie::Apart>::fits(problem.inputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "an axis of 2^30 pixels or a window of 2^31 terms";
}

// Calls multiply(sizes, what taps saw, dy, dw) with operands read in vectors or float by float.
template <bool wide, class Multiply>
void sum_outer_products(const KernelArgs& args, const Multiply& multiply) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.in[1].shape();
  const gemm::Turned seen(gemm::Windows<wide ? gemm::Lie::Terms : gemm::Lie::Apart>(args.in[0].as<float>(), x, p.window,
                                                                                    y[1], y[2], p.groups),
                          p.group_channels());
  const gemm::Matrix<wide ? gemm::Lie::Lines : gemm::Lie::Apart> dy{
      .data = args.in[1].as<float>(), .line_stride = 1, .term_stride = p.filters, .batch_stride = p.group_filters()};
  const gemm::Finish<wide> dw(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.filters,
                              p.group_filters(), 0);
  multiply(weight_gradient_sizes(args.problem), seen, dy, dw);
}

template <class Multiply>
void sum_outer_products(const KernelArgs& args, const Multiply& multiply) {
  const auto& p = args.problem.as<Conv2dParams>();
  const bool vectors = p.group_channels() % 4 == 0 && p.group_filters() % 4 == 0 && gemm::aligned(args.in[0].data) &&
                       gemm::aligned(args.in[1].data) && gemm::aligned(args.out[0].data);
  if (vectors)
    sum_outer_products<true>(args, multiply);
  else
    sum_outer_products<false>(args, multiply);
}

// conv2d_weight_gradient_mma.cu: by tensor cores, `parts` of bfloat16 a factor.
template <int parts>
struct WeightGradientMma {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
};

}  // namespace fastcnn::cuda

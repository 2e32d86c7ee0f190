// conv2d as a product: rows are the pixels of the result, columns the filters of a group, the sum goes over the window.
// The picture is never copied: gemm::Windows finds its elements (an "implicit" product). In the batch are the groups.
#pragma once

#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/conv2d/conv2d.h"

namespace fastcnn::cuda {

inline gemm::Sizes conv2d_sizes(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  return {p.groups, y[0] * y[1] * y[2], p.group_filters(), p.depth()};
}
inline std::int64_t conv2d_workspace(const Problem& problem) { return gemm::split_workspace(conv2d_sizes(problem)); }

inline const char* conv2d_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return gemm::Windows<gemm::Lie::Apart>::fits(problem.inputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "an axis of 2^30 pixels or a window of 2^31 terms";
}

// The operands as the engine sees them, read in vectors or float by float.
template <bool wide>
struct Conv2dProduct {
  const Conv2dParams& params;
  gemm::Windows<wide ? gemm::Lie::Terms : gemm::Lie::Apart> picture;
  gemm::Matrix<wide ? gemm::Lie::Lines : gemm::Lie::Apart> kernel;
  gemm::Finish<wide> result;

  explicit Conv2dProduct(const KernelArgs& args)
      : params(args.problem.as<Conv2dParams>()),
        picture(args.in[0].as<float>(), args.in[0].shape(), params.window, args.out[0].shape()[1],
                args.out[0].shape()[2], params.groups),
        kernel{args.in[1].as<float>(), 1, params.filters, params.group_filters()},
        result(params.epilogue, EpilogueOperands(params.epilogue, args, 2), args.out[0].as<float>(), params.filters,
               params.group_filters(), params.group_filters()) {}

  bool vectors() const {
    return params.group_channels() % 4 == 0 && gemm::aligned(picture.data) && gemm::aligned(kernel.data) &&
           result.vectors();
  }
};

// Calls multiply(sizes, picture, kernel, result).
template <class Multiply>
void convolve(const KernelArgs& args, const Multiply& multiply) {
  const gemm::Sizes sizes = conv2d_sizes(args.problem);
  const Conv2dProduct<true> wide(args);
  if (wide.vectors()) return multiply(sizes, wide.picture, wide.kernel, wide.result);
  const Conv2dProduct<false> apart(args);
  multiply(sizes, apart.picture, apart.kernel, apart.result);
}

// conv2d_mma.cu: by tensor cores, `parts` of bfloat16 a factor.
template <int parts>
struct Conv2dMma {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
};

}  // namespace fastcnn::cuda

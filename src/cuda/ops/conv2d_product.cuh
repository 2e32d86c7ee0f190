// conv2d as a product: rows are the pixels of the result, columns the filters of a group, the sum goes over the window.
// The picture is never copied: gemm::Windows finds its elements (an "implicit" product). In the batch are the groups.
#pragma once

#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/conv2d/conv2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {

inline gemm::Sizes conv2d_sizes(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  return {p.groups, y[0] * y[1] * y[2], p.group_filters(), p.depth()};
}

inline const char* conv2d_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  if (problem.inputs[0].dtype != DType::F32 || p.epilogue.result != DType::F32) return "stored in bfloat16";
  return gemm::Windows<gemm::Lie::Apart>::fits(problem.inputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "an axis of 2^30 pixels or a window of 2^31 terms";
}

inline std::int64_t conv2d_parts_bytes(const Problem& problem) { return gemm::parts_bytes(conv2d_sizes(problem)); }
inline const char* conv2d_parts_decline(const Problem& problem) {
  const char* reason = conv2d_declines(problem);
  return reason != nullptr ? reason : gemm::parts_decline(conv2d_sizes(problem));
}

// The operands as the engine sees them, read in vectors or float by float.
template <bool wide>
struct Conv2dProduct {
  gemm::Windows<wide ? gemm::Lie::Terms : gemm::Lie::Apart> picture;
  gemm::Matrix<wide ? gemm::Lie::Lines : gemm::Lie::Apart> kernel;
  gemm::Finish<wide> result;

  explicit Conv2dProduct(const KernelArgs& args) : Conv2dProduct(args, args.problem.as<Conv2dParams>()) {}
  bool vectors(const Conv2dParams& p) const {
    return p.group_channels() % 4 == 0 && p.group_filters() % 4 == 0 && gemm::aligned(picture.data) &&
           gemm::aligned(kernel.data) && result.vectors();
  }

 private:
  Conv2dProduct(const KernelArgs& args, const Conv2dParams& p)
      : picture(args.in[0].as<float>(), args.in[0].shape(), p.window, args.out[0].shape()[1], args.out[0].shape()[2],
                p.groups),
        kernel{args.in[1].as<float>(), 1, p.filters, p.group_filters()},
        result(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.filters,
               p.group_filters(), p.group_filters()) {}
};

// Calls multiply(sizes, picture, kernel, result).
template <class Multiply>
void convolve(const KernelArgs& args, const Multiply& multiply) {
  const gemm::Sizes sizes = conv2d_sizes(args.problem);
  const Conv2dProduct<true> wide(args);
  if (wide.vectors(args.problem.as<Conv2dParams>()))
    return multiply(sizes, wide.picture, wide.kernel, wide.result);
  const Conv2dProduct<false> apart(args);
  multiply(sizes, apart.picture, apart.kernel, apart.result);
}

// The same with the sum in parts: multiply(sizes, parts, picture, kernel, result).
template <class Multiply>
void convolve_in_parts(const char* name, const KernelArgs& args, const Multiply& multiply) {
  convolve(args, [&](const gemm::Sizes& sizes, const auto& picture, const auto& kernel, const auto& result) {
    gemm::Parts parts = gemm::parts_of(sizes);
    parts.sums = static_cast<float*>(args.workspace);
    multiply(sizes, parts, picture, kernel, result);
    if (parts.count > 1) gemm::launch_add_parts(name, args, sizes, parts, result);
  });
}

// conv2d_mma.cu: by tensor cores, `parts` of bfloat16 a factor; with the sum in parts where that pays.
template <int parts>
void conv2d_mma(const KernelArgs& args);

}  // namespace fastcnn::cuda

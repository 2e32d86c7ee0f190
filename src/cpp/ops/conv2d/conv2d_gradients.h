// What conv2d's gradient is made of. With Conv2dParams without an epilogue:
//
// conv2d_weight_gradient(x, dy): with respect to the kernel, x being conv2d's picture, dy the gradient of its sums.
//
//   dw[a,b,c,o] = sum_{n,i,j} x[n, i sh - top + a dh, j sw - left + b dw, g I + c] dy[n,i,j,o],
//   I = C / groups input channels a group, g the group of o
//
//   Corner cases, the same for every kernel:
//     - pixels outside the picture are zeros; whether a non-finite dy that meets one gives NaN or nothing is open;
//     - a non-finite pixel or gradient reaches every weight that depends on it, as NaN or infinity, and by Winograd's
//     kernels
//       the other taps of their channels;
//     - without pixels dw is 0. The order of the sum is the kernel's, but fixed by the shapes alone.
//
// conv2d_adjoint_kernel(w): the kernel with which a convolution of stride 1 spreads dy over the picture: turned by 180
// degrees, input and output channels exchanged within each group. Of any 4-byte items.
//
//   v[kh - 1 - a, kw - 1 - b, o, g I + c] = w[a, b, c, g O + o],   O = filters / groups
//
// With larger strides the gradient of the picture is conv2d_transpose of dy with w itself.
#pragma once

#include "gemm/blocking.h"
#include "gemm/split_outer.h"
#include "ops/conv2d/conv2d.h"

namespace fastcnn {

class NodeGradient;
void conv2d_gradient(NodeGradient& node);

namespace ref {
void conv2d_weight_gradient(const KernelArgs& args);
}

#if FC_X86
// conv2d_weight_gradient_bf16.cpp: of pictures that are stored in bfloat16.
template <const gemm::SplitEngine& engine, const gemm::Bf16OuterBlocking& blocking>
struct Bf16WeightGradient {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
  static std::int64_t workspace(const Problem& problem);
};

// conv2d_weight_gradient_gemm.cpp: sums of outer products by one of the engines of gemm/.
template <const auto& engine>
struct WeightGradient {
  static void run(const KernelArgs& args);
  static std::int64_t workspace(const Problem& problem);
};
template <const gemm::SplitEngine& engine>
const char* weight_gradient_yields(const Problem& problem);

// conv2d_winograd_gradient.cpp: the adjoint of Winograd's convolution.
namespace winograd {
struct GradientTransforms;
void weight_gradient(const GradientTransforms& transforms, const KernelArgs& args);
const char* weight_gradient_yields(const GradientTransforms& transforms, const Problem& problem);
std::int64_t weight_gradient_workspace(const GradientTransforms& transforms, const Problem& problem);
}  // namespace winograd
#endif

}  // namespace fastcnn

// What depthwise_conv2d's gradient is made of. With the window of depthwise_conv2d, x NHWC with C channels, M filters a
// channel:
//
// depthwise_conv2d_weight_gradient(x, dy): with respect to the filters (kh, kw, C, M).
//
//   dw[a, b, c, m] = sum_{n,i,j} x[n, i sh - top + a dh, j sw - left + b dw, c] dy[n, i, j, c M + m]
//
// depthwise_conv2d_data_gradient(dy, w): with respect to the picture, whose height and width are attributes.
//
//   dx[n, p, q, c] = sum dy[n, i, j, c M + m] w[a, b, c, m]
//   over all i, j, a, b, m with  p = i sh - top + a dh  and  q = j sw - left + b dw
//
// Corner cases, the same for every kernel: pixels outside the picture are left out; pixels that no window reaches get
// 0, and so do the filters where there are no pixels. The order of a sum is fixed by the shapes alone. What is not
// finite reaches every result that depends on it.
#pragma once

#include "ops/problem.h"
#include "ops/window.h"

namespace fastcnn {

struct DepthwiseGradientParams {
  Window2d window;
  std::int64_t height = 0, width = 0;  // of x
};

class NodeGradient;
void depthwise_conv2d_gradient(NodeGradient& node);

namespace ref {
void depthwise_conv2d_weight_gradient(const KernelArgs& args);
void depthwise_conv2d_data_gradient(const KernelArgs& args);
}  // namespace ref
#if FC_X86
#define FC_DEPTHWISE_GRADIENTS                                                     \
  void depthwise_conv2d_weight_gradient(const KernelArgs& args);                   \
  std::int64_t depthwise_conv2d_weight_gradient_workspace(const Problem& problem); \
  void depthwise_conv2d_data_gradient(const KernelArgs& args);
namespace avx2 {
FC_DEPTHWISE_GRADIENTS
}
namespace avx512 {
FC_DEPTHWISE_GRADIENTS
}
#undef FC_DEPTHWISE_GRADIENTS
#endif

}  // namespace fastcnn

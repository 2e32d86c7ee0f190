// conv2d_weight_gradient: the contract of conv2d's gradient with respect to its kernel.
//
//   dw[a,b,c,o] = sum_{n,i,j} x[n, i sh - top + a dh, j sw - left + b dw, g I + c] dy[n,i,j,o],
//   I = C / groups input channels a group, g the group of o
//
// Operands: x and dy, conv2d's picture and the gradient of its sums. Parameters: Conv2dParams without an epilogue.
// Corner cases, the same for every kernel:
//   - pixels outside the picture are zeros; whether a non-finite dy that meets one gives NaN or nothing is open;
//   - a non-finite pixel or gradient reaches every weight that depends on it, as NaN or infinity;
//   - without pixels dw is 0. The order of the sum is the kernel's, but fixed by the shapes alone.
#pragma once

#include "ops/conv2d/conv2d.h"

namespace fastcnn {

namespace ref {
void conv2d_weight_gradient(const KernelArgs& args);
}

#if FC_X86
namespace avx2 {
void conv2d_weight_gradient(const KernelArgs& args);
std::int64_t conv2d_weight_gradient_workspace(const Problem& problem);
}  // namespace avx2
namespace avx512 {
void conv2d_weight_gradient(const KernelArgs& args);
std::int64_t conv2d_weight_gradient_workspace(const Problem& problem);
}  // namespace avx512
#endif

}  // namespace fastcnn

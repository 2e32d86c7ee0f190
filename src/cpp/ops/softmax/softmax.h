// softmax: the contract of the normalised exponential along one axis.
//
//   softmax      y_i = e^(x_i - m) / s     m = max_j x_j,  s = sum_j e^(x_j - m)
//   log_softmax  y_i = x_i - m - log(s)
//
//   softmax_gradient      dx_i = y_i (dy_i - sum_j y_j dy_j); operands the result y, and dy; dx may lie over y
//   log_softmax_gradient  dx_i = dy_i - e^(y_i) sum_j dy_j; likewise
//
// Subtracting the maximum keeps every exponential in (0, 1] and s >= 1. Corner cases, the same for every kernel, are
// what the formula gives: an -inf among finite values has probability 0 (its logarithm is -inf); a row that holds a NaN
// or +inf, or nothing but -inf, is NaN throughout.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct SoftmaxParams {
  std::int32_t axis = 0;  // counted from the front
};

#define FC_SOFTMAX_KERNELS                       \
  void softmax(const KernelArgs& args);          \
  void log_softmax(const KernelArgs& args);      \
  void softmax_gradient(const KernelArgs& args); \
  void log_softmax_gradient(const KernelArgs& args);

namespace ref {
FC_SOFTMAX_KERNELS
}
#if FC_X86
namespace avx2 {
FC_SOFTMAX_KERNELS
}
namespace avx512 {
FC_SOFTMAX_KERNELS
}
#endif
#undef FC_SOFTMAX_KERNELS

}  // namespace fastcnn

// optimizer: the contract of the steps by which optimizers change a weight w and its state, element by element, and of
// the moving average. Every operand is read once and written in its place, by one kernel.
//
//   average(a, x, m) = a + (1 - m) (x - a)
//
//   sgd_update       w (, velocity when momentum), g, rate: velocity' = momentum velocity - rate g;
//                    w' = kept w + velocity', or with nesterov kept w + momentum velocity' - rate g
//   rmsprop_update   w, square (, mean when centered) (, velocity when momentum), g, rate:
//                    square' = average(square, g^2, rho), mean' = average(mean, g, rho),
//                    change = rate g / sqrt(max(0, square' - mean'^2) + epsilon),
//                    velocity' = momentum velocity + change; w' = kept w - velocity', or - change
//   adam_update      w, m, v (, largest when amsgrad), g, rate: m' = average(m, g, beta_1),
//                    v' = average(v, g^2, beta_2), largest' = max(largest, v');
//                    w' = kept w - rate m' / (sqrt(v' or largest') + epsilon)
//   moving_average   average(old, new, momentum)
//
// `rate` is a number of shape (), which for Adam is already corrected for averages that began with 0; `kept`, another,
// is what weight decay leaves of w: the last operand, 1 when absent. Results are w' and the states', in the operands'
// order, and may lie over them. A NaN in g, or in a state, reaches w' and all states that depend on it.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct SgdParams {
  double momentum = 0.0;
  std::int32_t nesterov = 0, decay = 0;
};

struct RmspropParams {
  double rho = 0.9, momentum = 0.0, epsilon = 1e-7;
  std::int32_t centered = 0, decay = 0;
};

struct AdamParams {
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  std::int32_t amsgrad = 0, decay = 0;
};

struct MovingAverageParams {
  double momentum = 0.99;
};

#define FC_OPTIMIZER_KERNELS                   \
  void sgd_update(const KernelArgs& args);     \
  void rmsprop_update(const KernelArgs& args); \
  void adam_update(const KernelArgs& args);    \
  void moving_average(const KernelArgs& args);

namespace ref {
FC_OPTIMIZER_KERNELS
}
#if FC_X86
namespace avx2 {
FC_OPTIMIZER_KERNELS
}
namespace avx512 {
FC_OPTIMIZER_KERNELS
}
#endif
#undef FC_OPTIMIZER_KERNELS

}  // namespace fastcnn

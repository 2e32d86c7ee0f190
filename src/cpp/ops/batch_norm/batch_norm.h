// batch_norm: the contract of batch normalisation with given statistics; channels are the last axis.
//
//   batch_norm              y = (x - mean) gamma / sqrt(var + epsilon) + beta
//                           operands x, gamma when `scale`, beta when `center`, mean, var
//   batch_norm_scale_shift  scale = gamma / sqrt(var + epsilon), shift = beta - mean scale, in double, rounded once
//                           operands gamma when `scale`, beta when `center`, mean, var
//   scale_shift             y = act(x scale + shift), one multiply-add: what batch_norm is lowered to in a plan
//                           operands x, scale, shift
//
// batch_norm rounds gamma / sqrt(var + epsilon) once and subtracts the mean before multiplying, so that a mean far
// larger than the deviation costs no digits.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

struct BatchNormParams {
  double epsilon = 1e-3;
  std::int32_t scale = 1, center = 1;  // whether gamma and beta are operands; else they are 1 and 0
};

struct ScaleShiftParams {
  Epilogue epilogue;
};

#define FC_BATCH_NORM_KERNELS              \
  void batch_norm(const KernelArgs& args); \
  void scale_shift(const KernelArgs& args);

namespace ref {
FC_BATCH_NORM_KERNELS
void batch_norm_scale_shift(const KernelArgs& args);
}  // namespace ref
#if FC_X86
namespace avx2 {
FC_BATCH_NORM_KERNELS
}
namespace avx512 {
FC_BATCH_NORM_KERNELS
}
#endif
#undef FC_BATCH_NORM_KERNELS

// batch_norm's gain of channel c: gamma / sqrt(var + epsilon) in double, rounded once.
FC_INLINE float batch_norm_gain(const BatchNormParams& p, const float* gamma, const float* var, std::int64_t c) {
  return static_cast<float>((gamma ? static_cast<double>(gamma[c]) : 1.0) /
                            __builtin_sqrt(static_cast<double>(var[c]) + p.epsilon));
}

}  // namespace fastcnn

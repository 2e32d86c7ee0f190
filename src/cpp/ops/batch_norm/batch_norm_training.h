// batch_norm_training: the contract of batch normalisation by the statistics of the batch itself, and of gradients;
// channels are the last axis, n is the number of values of a channel.
//
//   batch_norm_training  y = act((x - mean) gamma rstd + beta + residual), mean = sum(x) / n,
//                        variance = sum((x - mean)^2) / n, rstd = 1 / sqrt(variance + epsilon)
//                        operands x, gamma when `scale`, beta when `center`, residual when its Epilogue says so
//                        results y, mean, variance, rstd and shift, the last for batch_norm_gradient
//   batch_norm_gradient  dz = dy act'(...), found from the result y, or with `from_x` from (x - mean) gamma rstd +
//                        shift, which spares reading y; g = gamma rstd, h = (x - mean) rstd:
//                        dbeta = sum(dz), dgamma = sum(dz h), dx = g (dz - dbeta / n - h dgamma / n) when `training`,
//                        dx = g dz when not: then the statistics were given, not found
//                        operands x, dy, gamma when `scale`, mean, rstd, then unless act is linear y or, with `from_x`,
//                        shift
//                        results dx, dgamma, dbeta; dx may lie over x
//
// Corner cases, the same for every kernel:
//   - deviations are summed, never squares of the values, so a mean far larger than the deviation costs no digits;
//     batch_norm_gradient finds what rounding left of the mean from the data;
//   - y without a residual is act(fma(x - mean, gain, shift)), of what results hold and batch_norm_gain_of makes of
//     them: so `from_x` finds the very value that y was, and a gradient has the same bits either way (but where
//     bfloat16 stores as 6 what is less);
//   - sums run in an order that depends on the shape alone;
//   - the mean and variance of nothing are NaN, sums over nothing 0.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

struct BatchNormTrainingParams {
  double epsilon = 1e-3;
  std::int32_t scale = 1, center = 1;  // whether gamma and beta are operands; else they are 1 and 0
  Epilogue epilogue;                   // its residual is the last operand
};

struct BatchNormGradientParams {
  Activation activation = Activation::Linear;  // linear, relu, relu6 or leaky_relu
  float alpha = 0.0f;
  std::int32_t scale = 1, training = 1;
  std::int32_t from_x = 0;
};

// The factor of a channel's deviations, gamma rstd.
FC_INLINE float batch_norm_gain_of(float rstd, const float* gamma, std::int64_t c) {
  return gamma ? static_cast<float>(static_cast<double>(rstd) * static_cast<double>(gamma[c])) : rstd;
}

// What is added after: beta, and what rounding added to the mean.
FC_INLINE float batch_norm_shift_of(float mean, double exact_mean, float gain, const float* beta, std::int64_t c) {
  const double rest = static_cast<double>(mean) - exact_mean;
  return static_cast<float>((beta ? static_cast<double>(beta[c]) : 0.0) + rest * static_cast<double>(gain));
}

// Pictures are stored as Items.
template <class Item>
struct BatchNormTrainingOperands {
  const Item *x, *residual = nullptr;
  const float *gamma = nullptr, *beta = nullptr;
  std::int64_t rows, channels;

  FC_INLINE explicit BatchNormTrainingOperands(const KernelArgs& args) {
    const auto& p = args.problem.as<BatchNormTrainingParams>();
    const Tensor* next = args.in;
    const Shape& shape = next->shape();
    channels = shape.back();
    rows = shape.product(0, shape.rank - 1);
    x = (next++)->as<Item>();
    if (p.scale) gamma = (next++)->as<float>();
    if (p.center) beta = (next++)->as<float>();
    if (p.epilogue.residual) residual = next->as<Item>();
  }
};

template <class Item>
struct BatchNormGradientOperands {
  const Item *x, *dy, *y = nullptr;
  const float *gamma = nullptr, *mean, *rstd, *shift = nullptr;
  std::int64_t rows, channels;

  FC_INLINE explicit BatchNormGradientOperands(const KernelArgs& args) {
    const auto& p = args.problem.as<BatchNormGradientParams>();
    const Tensor* next = args.in;
    const Shape& shape = next->shape();
    channels = shape.back();
    rows = shape.product(0, shape.rank - 1);
    x = (next++)->as<Item>();
    dy = (next++)->as<Item>();
    if (p.scale) gamma = (next++)->as<float>();
    mean = (next++)->as<float>();
    rstd = (next++)->as<float>();
    if (p.activation == Activation::Linear) return;
    if (p.from_x)
      shift = next->as<float>();
    else
      y = next->as<Item>();
  }
};

// Sums are taken over chunks of rows, small enough to be read twice from the second-level cache: the workspace holds
// three sums a channel for each chunk, then up to three vectors of one value a channel.
struct BatchNormChunks {
  std::int64_t rows = 1, chunks = 1;
};

FC_INLINE BatchNormChunks batch_norm_chunks(std::int64_t rows, std::int64_t channels) {
  constexpr std::int64_t kElements = 65536, kMaxRows = 1024;
  BatchNormChunks c;
  c.rows = min_i64(kMaxRows, max_i64(32, kElements / max_i64(1, channels)));
  c.chunks = max_i64(1, ceil_div(rows, c.rows));
  return c;
}

FC_INLINE std::int64_t batch_norm_floats(const Shape& x) {
  return (3 * batch_norm_chunks(x.product(0, x.rank - 1), x.back()).chunks + 3) * x.back();
}

#define FC_BATCH_NORM_TRAINING_KERNELS              \
  void batch_norm_training(const KernelArgs& args); \
  void batch_norm_gradient(const KernelArgs& args);

namespace ref {
FC_BATCH_NORM_TRAINING_KERNELS
}
#if FC_X86
namespace avx2 {
FC_BATCH_NORM_TRAINING_KERNELS
}
namespace avx512 {
FC_BATCH_NORM_TRAINING_KERNELS
}
#endif
#undef FC_BATCH_NORM_TRAINING_KERNELS

}  // namespace fastcnn

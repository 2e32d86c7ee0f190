// norm: the contract of normalisations whose statistics come from the data of one sample; channels are the last axis.
//
//   group_norm     y = (x - mean) / sqrt(var + epsilon) gamma + beta, mean and variance (the mean squared deviation)
//                  of each sample's group of neighbouring channels over all its pixels; x is (N, ..., C)
//   instance_norm  the same with one channel a group
//   layer_norm     the same over the last `axes` axes, gamma and beta having the shape of these axes
//   l2_normalize   y = x / sqrt(max(sum of x^2 over the axes first .. last, epsilon)): TensorFlow's meaning
//   lrn            y = x / (bias + alpha / size * s)^beta, s the sum of x^2 over the `size` (odd) channels around x's
//                  own that exist: the meaning of torch, ONNX and Caffe (TensorFlow's alpha is alpha / size)
//   lrn_gradient   dx = dy b^-beta - 2 alpha beta / size x t, b = bias + alpha / size * s being lrn's base, t the sum
//   of
//                  dy x b^(-beta - 1) over the channels around x's own; operands x, dy
//
// Operands of the first three: x, gamma when `scale`, beta when `center`.
//
// Corner cases, the same for every kernel:
//   - mean and variance take two passes: the deviations are summed, never the squares of the values, so a large mean
//     costs no digits; sums run in an order that depends on the shape alone;
//   - a constant cell has variance 0 and becomes beta; a vector of zeros stays zero in l2_normalize.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct GroupNormParams {
  std::int64_t groups = 1;
  double epsilon = 1e-3;
  std::int32_t scale = 1, center = 1;  // whether gamma and beta are operands
};

struct LayerNormParams {
  double epsilon = 1e-3;
  std::int32_t scale = 1, center = 1;
  std::int32_t axes = 1, reserved = 0;
};

struct L2NormalizeParams {
  double epsilon = 1e-12;
  std::int32_t first = 0, last = 0;  // the axes summed over, both included
};

struct LrnParams {
  std::int32_t size = 5;
  float alpha = 1e-4f, beta = 0.75f, bias = 1.0f;
};

// group_norm walks a sample's pixels in chunks of rows; the workspace of one sample holds two sums a channel for each
// chunk, then mean, gain and shift of each channel.
struct GroupNormChunks {
  std::int64_t pixels = 0, rows = 1, chunks = 1;
};

FC_INLINE GroupNormChunks group_norm_chunks(const Shape& x) {
  constexpr std::int64_t kElements = 65536, kMaxRows = 1024;
  GroupNormChunks c;
  c.pixels = x.product(1, x.rank - 1);
  c.rows = min_i64(kMaxRows, max_i64(32, kElements / max_i64(1, x.back())));
  c.chunks = max_i64(1, ceil_div(c.pixels, c.rows));
  return c;
}

FC_INLINE std::int64_t group_norm_floats(const Shape& x) {
  const std::int64_t per_sample = (2 * group_norm_chunks(x).chunks + 3) * x.back();
  return group_norm_chunks(x).chunks == 1 ? x[0] * per_sample : per_sample;
}

inline constexpr std::int64_t kLrnMaxHalf = 128;  // of the channels a vector kernel's window reaches to either side

#define FC_NORM_KERNELS                      \
  void group_norm(const KernelArgs& args);   \
  void layer_norm(const KernelArgs& args);   \
  void l2_normalize(const KernelArgs& args); \
  void lrn(const KernelArgs& args);          \
  void lrn_gradient(const KernelArgs& args);

namespace ref {
FC_NORM_KERNELS
}
#if FC_X86
namespace avx2 {
FC_NORM_KERNELS
}
namespace avx512 {
FC_NORM_KERNELS
}
#endif
#undef FC_NORM_KERNELS

}  // namespace fastcnn

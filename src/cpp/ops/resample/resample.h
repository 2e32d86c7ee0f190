// resample: every element along an axis a mixture of few others, y[o, i, :] = sum over k of weights[i, k] x[o,
// indices[i, k], :]: what bicubic and antialiased resizing are along each axis of a picture.
//
// Operands: x (float32), indices (m, taps) of int64, weights (m, taps). Terms are added in their order; an index
// outside the axis adds nothing.
//
// resample_gradient: operands dy, indices, weights: dx[o, p, :] = the sum of weights[i, k] dy[o, i, :] over the taps
// with indices[i, k] = p, in their order.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct ResampleParams {
  std::int64_t axis = 0;  // counted from the front
  std::int64_t size = 0;  // of the axis in x
};

// Operands 1 and 2 of both ops.
struct ResampleTaps {
  std::int64_t outputs, taps;
  const std::int64_t* index;
  const float* weight;
  FC_INLINE explicit ResampleTaps(const KernelArgs& args)
      : outputs(args.in[1].shape()[0]),
        taps(args.in[1].shape()[1]),
        index(args.in[1].as<std::int64_t>()),
        weight(args.in[2].as<float>()) {}
};

namespace ref {
void resample(const KernelArgs& args);
void resample_gradient(const KernelArgs& args);
}  // namespace ref

}  // namespace fastcnn

// slice: y[i0, i1, ...] = x[begin0 + i0 * step0, begin1 + i1 * step1, ...]; y has shape `size`. Any dtype, bit by bit.
// A negative step reads backwards from `begin`; every element read must lie inside x.
#pragma once

#include "ops/problem.h"
#include "ops/strided_copy.h"

namespace fastcnn {

struct SliceParams {
  std::int64_t begin[kMaxRank] = {}, size[kMaxRank] = {}, step[kMaxRank] = {};
};

// The gradient of slice: zeros of the shape of x, with dy where y was read from.
struct SliceGradientParams {
  SliceParams slice;
  Shape x;
};

FC_INLINE StridedCopy slice_box(const SliceParams& p, const Tensor& x, const Tensor& y) {
  StridedCopy box = StridedCopy::between(x, y);
  for (int i = 0; i < y.shape().rank; ++i) {
    const std::int64_t from = box.item * x.shape().product(i + 1, x.shape().rank);
    box.from += p.begin[i] * from;
    box.add_axis(y.shape()[i], p.step[i] * from, box.item * y.shape().product(i + 1, y.shape().rank));
  }
  return box;
}

}  // namespace fastcnn

// slice: y[i0, i1, ...] = x[begin0 + i0 * step0, begin1 + i1 * step1, ...]; y has shape `size`. Any dtype, bit by bit.
// A negative step reads backwards from `begin`; every element read must lie inside x.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct SliceParams {
  std::int64_t begin[kMaxRank] = {}, size[kMaxRank] = {}, step[kMaxRank] = {};
};

// The gradient of slice: zeros of the shape of x, with dy where y was read from.
struct SliceGradientParams {
  SliceParams slice;
  Shape x;
};

}  // namespace fastcnn

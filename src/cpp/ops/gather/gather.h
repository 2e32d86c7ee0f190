// gather: elements picked by their index along one axis.
//
//   take             y[o, j, i] = x[o, index[j], i]: the axis is replaced by those of the indices
//   take_along_axis  y[o, j, i] = x[o, index[o, j, i], i]: indices of x's rank and, but for the axis, x's shape
//
// x is of any dtype, indices are int64 or int32. A negative index counts from the end of the axis; where an index lies
// outside of it, the result is 0.
//
// take_gradient, take_along_axis_gradient: operands dy (float32) and the indices: each dy is added to the element it
// was picked from, in the order of the indices.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct GatherParams {
  std::int64_t axis = 0;  // counted from the front
  std::int64_t size = 0;  // of the axis in x
};

// The index counted from the front, or -1 for one that lies outside.
FC_INLINE std::int64_t gathered_from(std::int64_t index, std::int64_t size) {
  if (index < 0) index += size;
  return index >= 0 && index < size ? index : -1;
}

FC_INLINE std::int64_t index_at(const Tensor& indices, std::int64_t i) {
  return indices.type.dtype == DType::I64 ? indices.as<std::int64_t>()[i]
                                          : static_cast<std::int64_t>(indices.as<std::int32_t>()[i]);
}

// A shape as (outer, size, inner) around the axis.
struct GatherAround {
  std::int64_t outer, size, inner;
  FC_INLINE GatherAround(const Shape& x, std::int64_t axis)
      : outer(x.product(0, static_cast<int>(axis))),
        size(x[static_cast<int>(axis)]),
        inner(x.product(static_cast<int>(axis) + 1, x.rank)) {}
};

namespace ref {
void take(const KernelArgs& args);
void take_gradient(const KernelArgs& args);
void take_along_axis(const KernelArgs& args);
void take_along_axis_gradient(const KernelArgs& args);
}  // namespace ref

}  // namespace fastcnn

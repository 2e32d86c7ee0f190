// Rules that are formulas: the ops they are made of, by their names.
#pragma once

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {

using Sizes = std::vector<std::int64_t>;

inline Sizes sizes_of(const Shape& s) { return Sizes(s.dims, s.dims + s.rank); }

struct GradientMath {
  NodeGradient& node;

  ValueId number(double v) const { return node.constant(static_cast<float>(v)); }
  ValueId add(ValueId a, ValueId b) const { return node.add(add_op, Attrs{}, {a, b}); }
  ValueId sub(ValueId a, ValueId b) const { return node.add(sub_op, Attrs{}, {a, b}); }
  ValueId mul(ValueId a, ValueId b) const { return node.add(mul_op, Attrs{}, {a, b}); }
  ValueId div(ValueId a, ValueId b) const { return node.add(div_op, Attrs{}, {a, b}); }
  ValueId maximum(ValueId a, ValueId b) const { return node.add(maximum_op, Attrs{}, {a, b}); }
  ValueId greater(ValueId a, ValueId b) const { return node.add(greater_op, Attrs{}, {a, b}); }
  ValueId less(ValueId a, ValueId b) const { return node.add(less_op, Attrs{}, {a, b}); }
  ValueId where(ValueId condition, ValueId a, ValueId b) const {
    return node.add(where_op, Attrs{}, {condition, a, b});
  }
  ValueId matmul(ValueId a, ValueId b, bool turn_a = false) const {
    return node.add(matmul_op, {{"transpose_a", turn_a}}, {a, b});
  }
  ValueId rsqrt(ValueId a) const { return node.add(unary_op, {{"kind", "rsqrt"}}, {a}); }
  ValueId square(ValueId a) const { return node.add(unary_op, {{"kind", "square"}}, {a}); }
  ValueId reshape(ValueId a, const Sizes& shape) const { return node.add(reshape_op, {{"shape", shape}}, {a}); }
  ValueId sum(ValueId a, const Sizes& axes) const {
    return node.add(reduce_sum_op, {{"axis", axes}, {"keepdims", true}}, {a});
  }
  ValueId mean(ValueId a, const Sizes& axes) const {
    return node.add(reduce_mean_op, {{"axis", axes}, {"keepdims", true}}, {a});
  }
};

}  // namespace fastcnn

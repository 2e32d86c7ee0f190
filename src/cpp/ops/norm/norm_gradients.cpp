// The gradient rules of the norm room, composed of element-wise ops and sums; lrn has a kernel of its own.
#include "ops/norm/norm_gradients.h"

#include "ops/gradient_math.h"
#include "ops/norm/norm.h"

namespace fastcnn {
namespace {

// Operands x, gamma when `scale`, beta when `center`. `view`: x with each cell's axes apart, `axes`: those of a cell,
// `affine`: gamma's shape beside the view. Statistics are found again: two numbers a cell, in place of a kept picture.
void normalised_rule(NodeGradient& node, const Sizes& view, const Sizes& axes, const Sizes& affine, double epsilon,
                     bool scale, bool center) {
  const GradientMath m{node};
  const ValueId x = m.reshape(node.input(0), view), dy = m.reshape(node.upstream(), view);
  const ValueId deviation = m.sub(x, m.mean(x, axes));
  const ValueId rstd = m.rsqrt(m.add(m.mean(m.square(deviation), axes), m.number(epsilon)));
  const ValueId normal = m.mul(deviation, rstd);
  if (node.wants(0)) {
    const ValueId g = scale ? m.mul(dy, m.reshape(node.input(1), affine)) : dy;
    const ValueId along = m.mul(normal, m.mean(m.mul(g, normal), axes));
    const ValueId dx = m.mul(m.sub(m.sub(g, m.mean(g, axes)), along), rstd);
    node.set(0, m.reshape(dx, sizes_of(node.input_shape(0))));
  }
  const auto summed = [&](ValueId of_view, int operand) {
    const ValueId whole = m.reshape(of_view, sizes_of(node.input_shape(0)));
    node.set(operand, sum_to_shape(node, whole, node.input_shape(operand)));
  };
  if (scale && node.wants(1)) summed(m.mul(dy, normal), 1);
  if (center && node.wants(1 + scale)) summed(dy, 1 + scale);
}

}  // namespace

void group_norm_rule(NodeGradient& node) {
  const auto& p = node.params().as<GroupNormParams>();
  const Shape& x = node.input_shape(0);
  const std::int64_t width = x.back() / max_i64(1, p.groups);
  normalised_rule(node, {x[0], x.product(1, x.rank - 1), p.groups, width}, {1, 3}, {p.groups, width}, p.epsilon,
                  p.scale, p.center);
}

void layer_norm_rule(NodeGradient& node) {
  const auto& p = node.params().as<LayerNormParams>();
  const Shape& x = node.input_shape(0);
  const std::int64_t n = x.product(x.rank - p.axes, x.rank);
  normalised_rule(node, {x.product(0, x.rank - p.axes), n}, {1}, {n}, p.epsilon, p.scale, p.center);
}

// dx = (dy - y sum(dy y)) / length, without the second part where epsilon took the length's place.
void l2_normalize_rule(NodeGradient& node) {
  const auto& p = node.params().as<L2NormalizeParams>();
  const GradientMath m{node};
  Sizes axes;
  for (std::int64_t a = p.first; a <= p.last; ++a) axes.push_back(a);
  const ValueId square = m.sum(m.square(node.input(0)), axes), epsilon = m.number(p.epsilon);
  const ValueId inverse = m.rsqrt(m.maximum(square, epsilon));
  const ValueId along = m.mul(m.sum(m.mul(node.upstream(), node.output()), axes), m.greater(square, epsilon));
  node.set(0, m.mul(m.sub(node.upstream(), m.mul(node.output(), along)), inverse));
}

void lrn_rule(NodeGradient& node) {
  node.set(0, node.add(lrn_gradient_op, node.params(), {node.input(0), node.upstream()}));
}

}  // namespace fastcnn

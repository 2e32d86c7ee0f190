// The rule of cdist, composed of products of matrices. Each gradient is that with respect to the first matrix; the
// second matrix is the first of the transposed problem.
#include "ops/distance/distance.h"
#include "ops/gradient_math.h"

namespace fastcnn {
namespace {

// One side of the problem: rows of x, compared with rows of z, y and dy being (rows of x, rows of z) or, `turned`,
// transposed.
struct Side {
  const GradientMath& m;
  ValueId x, z, y, dy;
  bool turned;

  Sizes of_x() const { return {turned ? 0 : 1}; }  // the axis that runs over the rows of z

  // sum_j w[i,j] z[j] and sum_j w[i,j], as a column.
  ValueId weighted(ValueId w) const { return m.matmul(w, z, turned); }
  ValueId total(ValueId w) const {
    const std::int64_t rows = m.node.type(x).shape[0];
    return m.reshape(m.sum(w, of_x()), {rows, 1});
  }

  // sum_j w[i,j] (x[i] - z[j])
  ValueId differences(ValueId w) const { return m.sub(m.mul(total(w), x), weighted(w)); }

  // 1 / |row|, 0 for a row of zeros.
  ValueId inverse_length(ValueId rows) const {
    const ValueId square = m.sum(m.square(rows), {1}), zero = m.number(0);
    return m.where(m.greater(square, zero), m.rsqrt(square), zero);
  }

  ValueId cosine() const {
    const ValueId inverse = inverse_length(x), unit = m.mul(x, inverse);
    const Side units{m, unit, m.mul(z, inverse_length(z)), y, dy, turned};
    const ValueId d = m.mul(units.weighted(dy), m.number(-1));  // with respect to the unit vectors
    const ValueId along = m.mul(unit, m.sum(m.mul(d, unit), {1}));
    return m.mul(m.sub(d, along), inverse);
  }

  ValueId manhattan() const {
    const Shape &a = m.node.type(x).shape, &b = m.node.type(z).shape;
    const ValueId rows = m.reshape(x, {a[0], 1, a[1]}), others = m.reshape(z, {1, b[0], b[1]});
    const ValueId sign = m.sub(m.greater(rows, others), m.less(rows, others));
    const ValueId w = turned ? m.node.add(transpose_op, {{"axes", Sizes{1, 0}}}, {dy}) : dy;
    return m.reshape(m.sum(m.mul(sign, m.reshape(w, {a[0], b[0], 1})), {1}), {a[0], a[1]});
  }

  ValueId gradient(Metric metric) const {
    switch (metric) {
      case Metric::SqEuclidean: return differences(m.mul(dy, m.number(2)));
      case Metric::Euclidean: {  // of equal rows 0, as torch's
        const ValueId zero = m.number(0);
        return differences(m.where(m.greater(y, zero), m.div(dy, y), zero));
      }
      case Metric::InnerProduct: return weighted(dy);
      case Metric::Cosine: return cosine();
      case Metric::Manhattan: return manhattan();
    }
    return dy;
  }
};

}  // namespace

void cdist_rule(NodeGradient& node) {
  const GradientMath m{node};
  const Metric metric = node.params().as<DistanceParams>().metric;
  for (int i = 0; i < 2; ++i) {
    if (!node.wants(i)) continue;
    const Side side{m, node.input(i), node.input(1 - i), node.output(), node.upstream(), i == 1};
    node.set(i, side.gradient(metric));
  }
}

}  // namespace fastcnn

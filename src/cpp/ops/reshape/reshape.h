// reshape: the same memory under another shape of equal size; one size may be -1 and is then worked out. A view.
// stop_gradient: x itself, which counts as a constant when the graph is differentiated. A view.
// broadcast_to: x repeated to `shape` by NumPy's rule: shapes are aligned at their last axes, and an axis of x that
// has one element or does not exist is repeated. Any dtype.
#pragma once

#include "ops/problem.h"
#include "ops/strided_copy.h"

namespace fastcnn {

struct ReshapeParams {
  Shape shape;
};

FC_INLINE StridedCopy broadcast_box(const Tensor& x_tensor, const Tensor& y_tensor) {
  const Shape &x = x_tensor.shape(), &y = y_tensor.shape();
  StridedCopy box = StridedCopy::between(x_tensor, y_tensor);
  for (int i = 0; i < y.rank; ++i) {
    const int own = i - (y.rank - x.rank);
    const bool repeated = own < 0 || x[own] == 1;
    box.add_axis(y[i], repeated ? 0 : box.item * x.product(own + 1, x.rank), box.item * y.product(i + 1, y.rank));
  }
  return box;
}

}  // namespace fastcnn

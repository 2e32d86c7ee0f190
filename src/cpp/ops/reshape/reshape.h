// reshape: the same memory under another shape of equal size; one size may be -1 and is then worked out. A view.
// stop_gradient: x itself, which counts as a constant when the graph is differentiated. A view.
// broadcast_to: x repeated to `shape` by NumPy's rule: shapes are aligned at their last axes, and an axis of x that
// has one element or does not exist is repeated. Any dtype.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct ReshapeParams {
  Shape shape;
};

}  // namespace fastcnn

// max_unpool2d: the way back of max pooling. NHWC.
//
//   max_unpool2d           operands x (n, h, w, c) and indices of x's shape, as max_pool2d_indices gives them (pixel p
//   of
//                          row r: r * width + p, of the picture that is made): y[n, indices[n, i, j, c], c] =
//                          x[n, i, j, c], 0 elsewhere
//   max_unpool2d_gradient  operands dy and indices: dx[n, i, j, c] = dy[n, indices[n, i, j, c], c]
//
// Corner cases: of several outputs with one index the last counts, row by row (each gets dy, as in torch); an index
// outside the picture belongs to no pixel and has the gradient 0.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct MaxUnpool2dParams {
  std::int64_t height = 0, width = 0;
};

namespace ref {
void max_unpool2d(const KernelArgs& args);
void max_unpool2d_gradient(const KernelArgs& args);
}  // namespace ref

}  // namespace fastcnn

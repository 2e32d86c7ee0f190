// The explicit list of all CUDA rows: one line a room, in the rooms' alphabetical order.
#include "ops/registry.h"

#include <vector>

#include "ops/rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> all_rows() {
  static const std::vector<OpRows> rows = [] {
    std::vector<OpRows> all;
    for (const auto room : {
             boxes_rows,
             concat_rows,
             conv2d_adjoint_kernel_rows,
             conv2d_rows,
             conv2d_transpose_rows,
             cross_entropy_rows,
             gram_rows,
             pad_rows,
             pool2d_gradient_rows,
             pool2d_rows,
             reshape_rows,
             slice_rows,
             softmax_rows,
             space_depth_rows,
             top_k_rows,
             transpose_rows,
         })
      for (const OpRows& op : room()) all.push_back(op);
    return all;
  }();
  return rows;
}

}  // namespace fastcnn::cuda

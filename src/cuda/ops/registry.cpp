// The explicit list of all CUDA rows: one line a room, in the rooms' alphabetical order.
#include "ops/registry.h"

#include <vector>

#include "ops/rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> all_rows() {
  static const std::vector<OpRows> rows = [] {
    std::vector<OpRows> all;
    for (const auto room : {
             activation_gradient_rows,
             activation_rows,
             affine_transform_rows,
             batch_norm_gradient_rows,
             batch_norm_rows,
             batch_norm_training_rows,
             binary_rows,
             boxes_rows,
             concat_rows,
             conv2d_adjoint_kernel_rows,
             conv2d_rows,
             conv2d_transpose_rows,
             conv2d_weight_gradient_rows,
             convert_rows,
             cross_entropy_rows,
             dense_rows,
             depthwise_conv2d_rows,
             depthwise_gradients_rows,
             distance_rows,
             gather_rows,
             gram_rows,
             integers_rows,
             max_unpool2d_rows,
             norm_rows,
             optimizer_rows,
             pad_rows,
             pool2d_gradient_rows,
             pool2d_rows,
             quantize_rows,
             random_rows,
             reduce_rows,
             resample_rows,
             reshape_rows,
             resize_rows,
             roi_align_rows,
             slice_rows,
             softmax_rows,
             space_depth_rows,
             top_k_rows,
             transpose_rows,
             where_rows,
         })
      for (const OpRows& op : room()) all.push_back(op);
    return all;
  }();
  return rows;
}

}  // namespace fastcnn::cuda

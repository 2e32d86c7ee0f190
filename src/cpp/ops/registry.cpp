// The explicit list of all ops: one line a room, in the rooms' alphabetical order.
#include <unordered_map>

#include "ops/device_rows.h"
#include "ops/rooms.h"

namespace fastcnn {

std::span<const Op* const> all_ops() {
  // clang-format off: one line a room
  static const Op* const ops[] = {
      &activation_op, &unary_op, &activation_gradient_op, &unary_gradient_op,  // activation
      &affine_transform_op,  // affine_transform
      &batch_norm_op, &batch_norm_scale_shift_op, &scale_shift_op,  // batch_norm
      &batch_norm_training_op, &batch_norm_gradient_op,  // batch_norm
      &add_op, &sub_op, &mul_op, &div_op, &maximum_op, &minimum_op, &prelu_op,  // binary
      &equal_op, &not_equal_op, &greater_op, &greater_equal_op, &less_op, &less_equal_op,  // binary
      &pow_op, &mod_op, &fmod_op,  // binary
      &box_iou_op, &nms_op, &soft_nms_op,  // boxes
      &concat_op,  // concat
      &conv2d_op, &conv2d_weight_gradient_op, &conv2d_adjoint_kernel_op,  // conv2d
      &conv2d_int8_op,  // conv2d_int8
      &conv2d_transpose_op, &conv2d_transpose_phases_op,  // conv2d_transpose
      &cast_op, &one_hot_op,  // convert
      &softmax_cross_entropy_op, &softmax_cross_entropy_gradient_op,  // cross_entropy
      &sigmoid_cross_entropy_op, &sigmoid_cross_entropy_gradient_op,  // cross_entropy
      &dense_op, &matmul_op,  // dense
      &depthwise_conv2d_op, &depthwise_conv2d_weight_gradient_op, &depthwise_conv2d_data_gradient_op,  // depthwise_conv2d
      &depthwise_conv2d_int8_op,  // depthwise_conv2d_int8
      &cdist_op, &nearest_op, &encode_rows_op, &nearest_coded_op,  // distance
      &take_op, &take_gradient_op, &take_along_axis_op, &take_along_axis_gradient_op,  // gather
      &gram_matrix_op,  // gram
      &integer_binary_op,  // integers
      &max_unpool2d_op, &max_unpool2d_gradient_op,  // max_unpool2d
      &group_norm_op, &instance_norm_op, &layer_norm_op, &l2_normalize_op, &lrn_op, &lrn_gradient_op,  // norm
      &sgd_update_op, &rmsprop_update_op, &adam_update_op, &moving_average_op,  // optimizer
      &pad_op,  // pad
      &max_pool2d_op, &max_pool2d_indices_op, &avg_pool2d_op, &adaptive_avg_pool2d_op,  // pool2d
      &max_pool2d_gradient_op, &avg_pool2d_gradient_op, &adaptive_avg_pool2d_gradient_op,  // pool2d
      &max_pool2d_int8_op,  // pool2d_int8
      &quantize_op, &dequantize_op, &quantize_weights_op,  // quantize
      &dropout_op, &random_uniform_op, &random_normal_op,  // random
      &reduce_sum_op, &reduce_mean_op, &reduce_max_op, &reduce_min_op, &reduce_prod_op, &argmax_op,  // reduce
      &resample_op, &resample_gradient_op,  // resample
      &reshape_op, &stop_gradient_op, &broadcast_to_op,  // reshape
      &resize_op, &resize_gradient_op,  // resize
      &roi_align_op, &roi_align_gradient_op,  // roi_align
      &slice_op, &slice_gradient_op,  // slice
      &softmax_op, &log_softmax_op, &softmax_gradient_op, &log_softmax_gradient_op,  // softmax
      &space_to_depth_op, &depth_to_space_op,  // space_depth
      &topk_op,  // top_k
      &transpose_op,  // transpose
      &where_op,  // where
  };
  // clang-format on
  return ops;
}

namespace {
std::unordered_map<const Op*, std::span<const KernelInfo>> g_device_rows;  // written once, before it is read
}

void add_device_rows(std::span<const OpRows> rows) {
  for (const OpRows& entry : rows) {
    const bool is_new = g_device_rows.emplace(&find_op(entry.op), entry.rows).second;
    require(is_new, ErrorKind::Config, "cuda: op '", entry.op, "' has rows already");
  }
}

std::span<const KernelInfo> kernels_of(const Op& op, Device device) {
  if (device == Device::Cpu) return op.kernels;
  const auto it = g_device_rows.find(&op);
  return it != g_device_rows.end() ? it->second : std::span<const KernelInfo>();
}

}  // namespace fastcnn

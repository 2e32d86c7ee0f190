// The ops of every room, declared once for the registry and for passes that add nodes of a given op.
// One line a room, in the rooms' alphabetical order.
#pragma once

namespace fastcnn {

struct Op;

// clang-format off: one line a room
extern const Op activation_op, unary_op, activation_gradient_op, unary_gradient_op;  // activation
extern const Op affine_transform_op;  // affine_transform
extern const Op batch_norm_op, batch_norm_scale_shift_op, scale_shift_op;  // batch_norm
extern const Op batch_norm_training_op, batch_norm_gradient_op;  // batch_norm
extern const Op add_op, sub_op, mul_op, div_op, maximum_op, minimum_op, prelu_op;  // binary
extern const Op equal_op, not_equal_op, greater_op, greater_equal_op, less_op, less_equal_op;  // binary
extern const Op pow_op, mod_op, fmod_op;  // binary
extern const Op box_iou_op, nms_op, soft_nms_op;  // boxes
extern const Op concat_op;  // concat
extern const Op conv2d_op, conv2d_weight_gradient_op, conv2d_adjoint_kernel_op;  // conv2d
extern const Op conv2d_int8_op;  // conv2d_int8
extern const Op conv2d_transpose_op, conv2d_transpose_phases_op;  // conv2d_transpose
extern const Op cast_op, one_hot_op;  // convert
extern const Op softmax_cross_entropy_op, softmax_cross_entropy_gradient_op;  // cross_entropy
extern const Op sigmoid_cross_entropy_op, sigmoid_cross_entropy_gradient_op;  // cross_entropy
extern const Op dense_op, matmul_op;  // dense
extern const Op depthwise_conv2d_op, depthwise_conv2d_weight_gradient_op, depthwise_conv2d_data_gradient_op;  // depthwise_conv2d
extern const Op depthwise_conv2d_int8_op;  // depthwise_conv2d_int8
extern const Op cdist_op, nearest_op, encode_rows_op, nearest_coded_op;  // distance
extern const Op take_op, take_gradient_op, take_along_axis_op, take_along_axis_gradient_op;  // gather
extern const Op gram_matrix_op;  // gram
extern const Op integer_binary_op;  // integers
extern const Op max_unpool2d_op, max_unpool2d_gradient_op;  // max_unpool2d
extern const Op group_norm_op, instance_norm_op, layer_norm_op, l2_normalize_op, lrn_op, lrn_gradient_op;  // norm
extern const Op sgd_update_op, rmsprop_update_op, adam_update_op, moving_average_op;  // optimizer
extern const Op pad_op;  // pad
extern const Op max_pool2d_op, max_pool2d_indices_op, avg_pool2d_op, adaptive_avg_pool2d_op;  // pool2d
extern const Op max_pool2d_gradient_op, avg_pool2d_gradient_op, adaptive_avg_pool2d_gradient_op;  // pool2d
extern const Op max_pool2d_int8_op;  // pool2d_int8
extern const Op quantize_op, dequantize_op, quantize_weights_op;  // quantize
extern const Op dropout_op, random_uniform_op, random_normal_op;  // random
extern const Op reduce_sum_op, reduce_mean_op, reduce_max_op, reduce_min_op, reduce_prod_op, argmax_op;  // reduce
extern const Op resample_op, resample_gradient_op;  // resample
extern const Op reshape_op, stop_gradient_op, broadcast_to_op;  // reshape
extern const Op resize_op, resize_gradient_op;  // resize
extern const Op roi_align_op, roi_align_gradient_op;  // roi_align
extern const Op slice_op, slice_gradient_op;  // slice
extern const Op softmax_op, log_softmax_op, softmax_gradient_op, log_softmax_gradient_op;  // softmax
extern const Op space_to_depth_op, depth_to_space_op;  // space_depth
extern const Op topk_op;  // top_k
extern const Op transpose_op;  // transpose
extern const Op where_op;  // where
// clang-format on

}  // namespace fastcnn

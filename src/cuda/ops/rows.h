// The CUDA rows of every room: one function a file, in the files' alphabetical order; listed in ops/registry.cpp.
#pragma once

#include "ops/device_rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> activation_gradient_rows();
std::span<const OpRows> activation_rows();
std::span<const OpRows> affine_transform_rows();
std::span<const OpRows> batch_norm_gradient_rows();
std::span<const OpRows> batch_norm_rows();
std::span<const OpRows> batch_norm_training_rows();
std::span<const OpRows> binary_rows();
std::span<const OpRows> boxes_rows();
std::span<const OpRows> concat_rows();
std::span<const OpRows> conv2d_adjoint_kernel_rows();
std::span<const OpRows> conv2d_rows();
std::span<const OpRows> conv2d_transpose_rows();
std::span<const OpRows> conv2d_weight_gradient_rows();
std::span<const OpRows> convert_rows();
std::span<const OpRows> cross_entropy_rows();
std::span<const OpRows> dense_rows();
std::span<const OpRows> depthwise_conv2d_rows();
std::span<const OpRows> depthwise_gradients_rows();
std::span<const OpRows> distance_rows();
std::span<const OpRows> gather_rows();
std::span<const OpRows> gram_rows();
std::span<const OpRows> integers_rows();
std::span<const OpRows> max_unpool2d_rows();
std::span<const OpRows> norm_rows();
std::span<const OpRows> optimizer_rows();
std::span<const OpRows> pad_rows();
std::span<const OpRows> pool2d_gradient_rows();
std::span<const OpRows> pool2d_rows();
std::span<const OpRows> quantize_rows();
std::span<const OpRows> random_rows();
std::span<const OpRows> reduce_rows();
std::span<const OpRows> resample_rows();
std::span<const OpRows> reshape_rows();
std::span<const OpRows> resize_rows();
std::span<const OpRows> roi_align_rows();
std::span<const OpRows> slice_rows();
std::span<const OpRows> softmax_rows();
std::span<const OpRows> space_depth_rows();
std::span<const OpRows> top_k_rows();
std::span<const OpRows> transpose_rows();
std::span<const OpRows> where_rows();

}  // namespace fastcnn::cuda

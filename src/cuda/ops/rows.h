// The CUDA rows of every room: one function a room, in the rooms' alphabetical order; listed in ops/registry.cpp.
#pragma once

#include "ops/device_rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> activation_gradient_rows();
std::span<const OpRows> activation_rows();
std::span<const OpRows> batch_norm_gradient_rows();
std::span<const OpRows> batch_norm_rows();
std::span<const OpRows> batch_norm_training_rows();
std::span<const OpRows> binary_rows();
std::span<const OpRows> convert_rows();
std::span<const OpRows> integers_rows();
std::span<const OpRows> optimizer_rows();
std::span<const OpRows> pool2d_rows();
std::span<const OpRows> quantize_rows();
std::span<const OpRows> random_rows();
std::span<const OpRows> where_rows();

}  // namespace fastcnn::cuda

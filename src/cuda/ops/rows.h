// The CUDA rows of every room: one function a file, in the files' alphabetical order; listed in ops/registry.cpp.
#pragma once

#include "ops/device_rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> depthwise_conv2d_rows();
std::span<const OpRows> depthwise_gradients_rows();
std::span<const OpRows> pool2d_gradient_rows();
std::span<const OpRows> pool2d_rows();

}  // namespace fastcnn::cuda

// The CUDA rows of every room: one function a room, in the rooms' alphabetical order; listed in ops/registry.cpp.
#pragma once

#include "ops/device_rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> conv2d_adjoint_kernel_rows();
std::span<const OpRows> conv2d_rows();
std::span<const OpRows> conv2d_transpose_rows();
std::span<const OpRows> conv2d_weight_gradient_rows();
std::span<const OpRows> dense_rows();
std::span<const OpRows> pool2d_rows();

}  // namespace fastcnn::cuda

#pragma once

#include "ops/device_rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> all_rows();

}  // namespace fastcnn::cuda

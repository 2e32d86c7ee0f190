// CUDA's devices for the core (core/device.h).
#pragma once

#include "core/device.h"

namespace fastcnn::cuda {

// Throws Error(Config) saying why there is no device: no driver, one too old for this build, no GPU.
DeviceProvider find_devices();

}  // namespace fastcnn::cuda

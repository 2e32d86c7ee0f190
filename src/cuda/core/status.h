// What host code learns from CUDA: errors, and what the device offers.
#pragma once

#include <cuda_runtime.h>

#include "core/error.h"
#include "ops/problem.h"

namespace fastcnn::cuda {

// Throws Error(Internal) with CUDA's words for `status`; `what` is what was asked for.
void check(cudaError_t status, const char* what);

// The same for the launch of a row of a kernel table, naming its operands.
void check_launch(cudaError_t status, const char* kernel, const KernelArgs& args);

// What the device in use offers, read once for each device.
struct Capability {
  int major = 0, minor = 0;
  int multiprocessors = 0;
  std::size_t shared_bytes_per_block = 0;  // that a launch may ask for
  bool at_least(int wanted_major, int wanted_minor = 0) const {
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
  }
};
const Capability& capability();

}  // namespace fastcnn::cuda

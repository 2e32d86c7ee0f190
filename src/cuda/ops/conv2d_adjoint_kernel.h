// What other rooms use of conv2d_adjoint_kernel.
#pragma once

#include "ops/problem.h"

namespace fastcnn::cuda {

// v[taps - 1 - t, o, g channels + c] = w[t, c, g filters + o]; channels and filters are those of one group. `name` is
// the row's that asks.
void turn_kernel(const char* name, const KernelArgs& args, std::int64_t taps, std::int64_t channels,
                 std::int64_t filters, std::int64_t groups, const void* w, void* v);

}  // namespace fastcnn::cuda

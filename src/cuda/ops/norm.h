// The kernels of the norm room on the device, for the table in norm.cu.
#pragma once

#include "ops/op.h"

namespace fastcnn::cuda {

std::int64_t group_norm_workspace(const Problem& problem);
void group_norm(const char* name, const KernelArgs& args);
void lrn(const char* name, const KernelArgs& args);
std::int64_t lrn_gradient_workspace(const Problem& problem);
void lrn_gradient(const char* name, const KernelArgs& args);

}  // namespace fastcnn::cuda

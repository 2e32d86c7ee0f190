// Sums of outer products over pixels, as outer.h, by kernels that split floats into bf16 parts (split.h). For baseline
// files.
#pragma once

#include "gemm/outer.h"
#include "gemm/split.h"

namespace fastcnn::gemm {

std::int64_t workspace(const SplitEngine& engine, const OuterProduct& product);
void multiply(const SplitEngine& engine, const OuterProduct& product, void* workspace);

// Why the engine would be slower than fused multiply-adds; nullptr where it is not.
const char* yields(const SplitEngine& engine, const OuterProduct& product);

}  // namespace fastcnn::gemm

// The matrix product C = act(A B + bias + residual) of gemm.h by kernels that split floats into bf16 parts (split.h).
// For baseline files.
#pragma once

#include "gemm/gemm.h"
#include "gemm/split.h"

namespace fastcnn::gemm {

// Floats that a packed B of depth x columns takes: the parts, panel by panel, step by step.
std::int64_t packed_size(const SplitEngine& engine, std::int64_t depth, std::int64_t columns);
void pack(const SplitEngine& engine, const PackSource& source, float* packed);

// Why the engine would be slower than fused multiply-adds on a product of this size; nullptr where it is not.
const char* yields(const SplitEngine& engine, std::int64_t rows, std::int64_t depth, std::int64_t columns);

// As multiply() of gemm.h; `product.packed` is what pack() of this engine wrote.
void multiply(const SplitEngine& engine, const Product& product, const RowSource& source);

}  // namespace fastcnn::gemm

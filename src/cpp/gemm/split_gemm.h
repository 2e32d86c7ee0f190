// The matrix product C = act(A B + bias + residual) of gemm.h by kernels that split floats into bf16 parts (split.h).
// For baseline files.
#pragma once

#include <type_traits>

#include "core/bf16.h"
#include "gemm/gemm.h"
#include "gemm/split.h"

namespace fastcnn::gemm {

// Floats that a packed B of depth x columns takes: the parts, panel by panel, step by step.
std::int64_t packed_size(const SplitEngine& engine, std::int64_t depth, std::int64_t columns);
void pack(const SplitEngine& engine, const PackSource& source, float* packed);
// Into rows first_row ... of a packed B whose depth is total_depth; whole steps (kSplitDepth) come before.
void pack_rows(const SplitEngine& engine, const PackSource& source, std::int64_t first_row, std::int64_t total_depth,
               float* packed);

// Why the engine would be slower than fused multiply-adds on a product of this size; nullptr where it is not.
const char* yields(const SplitEngine& engine, std::int64_t rows, std::int64_t depth, std::int64_t columns);

// Element `at` of floats, or of bfloat16; nullptr of nullptr.
template <class Float>
Float* element(Float* from, bool bf16, std::int64_t at) {
  if (from == nullptr) return nullptr;
  const std::int64_t bytes = at * static_cast<std::int64_t>(bf16 ? sizeof(Bf16) : sizeof(float));
  using Byte = std::conditional_t<std::is_const_v<Float>, const unsigned char, unsigned char>;
  return reinterpret_cast<Float*>(reinterpret_cast<Byte*>(from) + bytes);
}

// As multiply() of gemm.h; `product.packed` is what pack() of this engine wrote.
void multiply(const SplitEngine& engine, const Product& product, const RowSource& source);

}  // namespace fastcnn::gemm

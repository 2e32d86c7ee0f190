// Products with few results and long sums, such as the gradients of weights: the sums are cut into parts, a block each,
// which a second kernel adds up in order. How many parts there are follows from the sizes alone.
//
// Computes   C = sum over the parts of A[part] B[part], then what Finish does.
// Layout     the parts' sums (part, batch, row, column) in the workspace.
// Threads    of the sum: 256, one element each, or four neighbours. The products: ffma.cuh.
// Why        few tiles would leave most of a device idle; and short chains err less.
// Bounds     of the sum: memory, or L2.
// Accuracy   chains of the terms of a part, at most some thousand where the workspace allows, then of the parts.
#pragma once

#include "core/divide.cuh"
#include "gemm/ffma.cuh"

namespace fastcnn::cuda::gemm {

inline Parts parts_of(const Sizes& s) {
  constexpr std::int64_t kBlocks = 320;  // wanted
  constexpr std::int64_t kLeastTerms = 256, kMostTerms = 4096, kMostBytes = 128 << 20;
  constexpr std::int64_t kMostParts = 65535;  // along the second axis of a grid
  const std::int64_t results = s.batch * s.rows * s.columns;
  const std::int64_t tiles = s.batch * ceil_div(s.rows, FfmaLarge::kRows) * ceil_div(s.columns, FfmaLarge::kColumns);
  std::int64_t count = max_i64(ceil_div(kBlocks, max_i64(1, tiles)), ceil_div(s.depth, kMostTerms));
  count = min_i64(count, kMostBytes / max_i64(1, results * static_cast<std::int64_t>(sizeof(float))));
  count = min_i64(min_i64(count, kMostParts), s.depth / kLeastTerms);
  if (count <= 1) return {};
  const std::int64_t terms = round_up(ceil_div(s.depth, count), 64);
  return {.count = ceil_div(s.depth, terms), .terms = terms};
}

inline std::int64_t split_workspace(const Sizes& s) {
  const Parts parts = parts_of(s);
  return parts.count > 1 ? parts.count * s.batch * s.rows * s.columns * static_cast<std::int64_t>(sizeof(float)) : 0;
}

constexpr int kSumThreads = 256;

template <class Finish>
__global__ void __launch_bounds__(kSumThreads)
    add_parts(std::int64_t results, Parts parts, Divisor by_rows, Divisor by_columns, Finish finish) {
  constexpr int kCount = Finish::kWide ? 4 : 1;
  const std::int64_t at = (std::int64_t{blockIdx.x} * kSumThreads + threadIdx.x) * kCount;
  if (at >= results) return;
  float sum[kCount] = {};
  const float* part = parts.sums + at;
#pragma unroll 4
  for (std::int64_t p = 0; p < parts.count; ++p, part += results) {
    float more[kCount];
    load(part, more);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum[i] += more[i];
  }
  std::int64_t row, column;
  const std::int64_t batch = by_rows.divide(by_columns.divide(at, &column), &row);
  finish.store(batch, row, column, sum);
}

// After a kernel of the engine was launched with these parts.
template <class Finish>
void launch_add_parts(const char* name, const KernelArgs& args, const Sizes& s, const Parts& parts,
                      const Finish& finish) {
  if (parts.count == 1) return;
  const std::int64_t results = s.batch * s.rows * s.columns;
  const std::int64_t blocks = ceil_div(results, kSumThreads * (Finish::kWide ? 4 : 1));
  launch(name, add_parts<Finish>, {static_cast<unsigned>(blocks), kSumThreads}, args, results, parts, Divisor(s.rows),
         Divisor(s.columns), finish);
}

// `sums` has split_workspace(s) bytes.
template <class A, class B, class Finish>
void launch_split(const char* name, const KernelArgs& args, const Sizes& s, const A& a, const B& b,
                  const Finish& finish, float* sums) {
  Parts parts = parts_of(s);
  parts.sums = sums;
  launch_ffma(name, args, s, parts, a, b, finish);
  launch_add_parts(name, args, s, parts, finish);
}

}  // namespace fastcnn::cuda::gemm

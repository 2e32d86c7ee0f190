// The engine's product (product.h) where A has a few rows: a dense layer of a picture or two.
//
// Computes   C = A B, at most 8 rows; the sum in 8 interleaved chains for each part, which are added up in order.
// Layout     functors say where elements lie; B in vectors of columns, or apart.
// Threads    256: a warp's lanes have neighbouring columns, four or one each, its eight warps every eighth term; a lane
// and tile   holds 4 to 32 sums. 32 KB of shared memory at most, for the warps' sums.
// Why        B is all there is to read, once, and whole lines of it together; tiles of 64 rows would be nearly empty.
// Bounds     memory. Long sums are cut into parts (split.cuh), so that a device has enough to wait for.
// Needs      nothing.
// Accuracy   sums of many short chains: better than a sequential sum in float32.
#pragma once

#include "core/launch.h"
#include "gemm/split.cuh"

namespace fastcnn::cuda::gemm {

inline constexpr int kThinWarps = 8, kThinRows = 8;

// By the sizes alone, not measured on hardware.
inline Parts thin_parts_of(const Sizes& s) {
  constexpr std::int64_t kBlocks = 320, kLeastTerms = 128, kColumns = 4 * kWarp;
  const std::int64_t wanted = ceil_div(kBlocks, max_i64(1, s.batch * ceil_div(s.columns, kColumns)));
  const std::int64_t count = min_i64(wanted, s.depth / kLeastTerms);
  if (count <= 1) return {};
  const std::int64_t terms = round_up(ceil_div(s.depth, count), kThinWarps);
  return {.count = ceil_div(s.depth, terms), .terms = terms};
}

inline std::int64_t thin_workspace(const Sizes& s) {
  const Parts parts = thin_parts_of(s);
  return parts.count > 1 ? parts.count * s.batch * s.rows * s.columns * static_cast<std::int64_t>(sizeof(float)) : 0;
}

template <int rows, class A, class B, class Finish>
__global__ __launch_bounds__(kThinWarps* kWarp) void multiply_thin(Sizes s, Parts parts, A a, B b, Finish finish) {
  constexpr int kCount = Finish::kWide ? 4 : 1, kColumns = kWarp * kCount;
  static_assert((B::kLie == Lie::Lines) == Finish::kWide);
  FC_SHARED(float4, of_warps, [kThinWarps * rows * kColumns / 4]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const std::int64_t first_column = std::int64_t{blockIdx.x} * kColumns, batch = blockIdx.z, part = blockIdx.y;
  const std::int64_t first = parts.count > 1 ? part * parts.terms : 0;
  const std::int64_t last = parts.count > 1 ? min_i64(s.depth, first + parts.terms) : s.depth;

  const auto of_b = b.line(batch, min_i64(first_column + lane * kCount, s.columns - kCount));
  typename A::Line of_a[rows];
#pragma unroll
  for (int r = 0; r < rows; ++r) of_a[r] = a.line(batch, min_i64(r, s.rows - 1));

  float sums[rows][kCount] = {};
#pragma unroll 4
  for (std::int64_t k = first + warp; k < last; k += kThinWarps) {
    float factors[kCount] = {};
    const float* at;
    if (b.find(of_b, b.term(k), &at)) load(at, factors);
    const auto term = a.term(k);
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const float factor = a.find(of_a[r], term, &at) ? *at : 0.0f;
#pragma unroll
      for (int i = 0; i < kCount; ++i) sums[r][i] = fmaf(factor, factors[i], sums[r][i]);
    }
  }

  auto* const shared = reinterpret_cast<float*>(&of_warps[0]);
#pragma unroll
  for (int r = 0; r < rows; ++r) store(shared + ((warp * rows + r) * kWarp + lane) * kCount, sums[r]);
  __syncthreads();
  const std::int64_t row = warp, column = first_column + lane * kCount;  // a warp has a row now
  if (warp >= rows || row >= s.rows || column >= s.columns) return;
  float sum[kCount], more[kCount];
  load(shared + (warp * kWarp + lane) * kCount, sum);
#pragma unroll
  for (int w = 1; w < kThinWarps; ++w) {
    load(shared + ((w * rows + warp) * kWarp + lane) * kCount, more);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum[i] += more[i];
  }
  if (parts.count > 1)
    store(parts.sums + ((part * s.batch + batch) * s.rows + row) * s.columns + column, sum);
  else
    finish.store(batch, row, column, sum);
}

// At most kThinRows rows and 65535 products in the batch; `sums` has thin_workspace(s) bytes.
template <class A, class B, class Finish>
void launch_thin(const char* name, const KernelArgs& args, const Sizes& s, const A& a, const B& b, const Finish& finish,
                 float* sums) {
  Parts parts = thin_parts_of(s);
  parts.sums = sums;
  const Grid grid{dim3(static_cast<unsigned>(ceil_div(s.columns, kWarp * (Finish::kWide ? 4 : 1))),
                       static_cast<unsigned>(parts.count), static_cast<unsigned>(s.batch)),
                  dim3(kThinWarps * kWarp)};
  if (s.rows == 1)
    launch(name, multiply_thin<1, A, B, Finish>, grid, args, s, parts, a, b, finish);
  else if (s.rows <= 4)
    launch(name, multiply_thin<4, A, B, Finish>, grid, args, s, parts, a, b, finish);
  else
    launch(name, multiply_thin<8, A, B, Finish>, grid, args, s, parts, a, b, finish);
  launch_add_parts(name, args, s, parts, finish);
}

}  // namespace fastcnn::cuda::gemm

// Long sums with few tiles: each block computes a part of a tile's sum, and a second kernel adds the parts up.
//
// Computes   C = sum over the parts, in their order, finished and stored.
// Layout     sums are (part, batch, row, column) in the workspace, as the kernels of the engine leave them (Parts).
// Threads    256, each four neighbouring columns, or one.
// Why        without the cut a device of a hundred processors would wait for a few blocks; the order is fixed.
// Bounds     memory, which the parts are written to and read from.
// Needs      nothing.
// Accuracy   that of the parts; sums of parts err less than a chain.
#pragma once

#include "core/launch.h"
#include "gemm/product.h"

namespace fastcnn::cuda::gemm {

// By sizes alone: parts of at least kLeastTerms terms, as many as make kWanted small tiles (not measured on hardware).
// One part: the sum is better left whole.
inline Parts parts_of(const Sizes& s) {
  constexpr std::int64_t kStep = 32, kLeastTerms = 128, kWanted = 256, kMost = 64;
  const std::int64_t tiles = max_i64(1, s.batch * ceil_div(s.rows, 64) * ceil_div(s.columns, 64));
  const std::int64_t wanted = min_i64(min_i64(ceil_div(kWanted, tiles), s.depth / kLeastTerms), kMost);
  Parts parts;
  if (wanted < 2) return parts;
  parts.terms = round_up(ceil_div(s.depth, wanted), kStep);
  parts.count = ceil_div(s.depth, parts.terms);
  return parts;
}

inline std::int64_t parts_bytes(const Sizes& s) {
  return parts_of(s).count * s.batch * s.rows * s.columns * static_cast<std::int64_t>(sizeof(float));
}

inline const char* parts_decline(const Sizes& s) {
  return parts_of(s).count < 2 ? "the sum is short, or there are tiles enough" : nullptr;
}

template <class Finish>
__global__ __launch_bounds__(256) void add_parts(Sizes s, Parts parts, Finish finish) {
  constexpr int kCount = Finish::kWide ? 4 : 1;
  const std::int64_t all = s.batch * s.rows * s.columns;
  const std::int64_t at = (std::int64_t{blockIdx.x} * 256 + threadIdx.x) * kCount;
  if (at >= all) return;
  float sum[kCount], next[kCount];
  load(parts.sums + at, sum);
  for (std::int64_t part = 1; part < parts.count; ++part) {
    load(parts.sums + part * all + at, next);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum[i] += next[i];
  }
  const std::int64_t line = at / s.columns, batch = line / s.rows;
  finish.store(batch, line - batch * s.rows, at - line * s.columns, sum);
}

// After a kernel of the engine was launched with these parts.
template <class Finish>
void launch_add_parts(const char* name, const KernelArgs& args, const Sizes& s, const Parts& parts,
                      const Finish& finish) {
  const std::int64_t threads = s.batch * s.rows * s.columns / (Finish::kWide ? 4 : 1);
  launch(name, add_parts<Finish>, {dim3(static_cast<unsigned>(ceil_div(threads, 256))), dim3(256)}, args, s, parts,
         finish);
}

}  // namespace fastcnn::cuda::gemm

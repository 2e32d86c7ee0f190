// Computes   C = act(A B + bias + residual) from factors split into bf16 parts (the contract: split.h):
//            a = a1 + a2 + a3, b = b1 + b2 + b3; bf16x6: a b = a1 b1 + a1 b2 + a2 b1 + a1 b3 + a2 b2 + a3 b1;
//            bf16x3: a1 b1 + a1 b2 + a2 b1; bf16: a1 b1. Sums in float32.
// Layout     A's strip: step by step, part by part, two tiles of rows; B's panel likewise, two tiles of columns
//            (split_avx512bf16.cpp).
// Tile       2 x 2 tiles of C, 2 of A, 2 of B: all 8. Products that follow each other share A or B, so that of the 24
//            factors' pairs of bf16x6 14 tiles are loaded for 24 products, 8 for 12 of bf16x3, 4 for 4 of bf16.
//            The largest product comes last, lest it overflow before its corrections.
// Why        a product takes 16 cycles and a load 8 from L1; four chains hide a product's latency of 52 cycles.
// Needs      AMX-BF16; tiles configured by the caller's task.
// Accuracy   dropped of a product, relative to it: bf16x6 2^-24, bf16x3 2^-15, bf16 2^-7, beside the roundings of the
//            sum. Factors, parts and sums below 2^-126 count as zero. An infinite factor gives NaN but in bf16.
// Source     G. Henry, P. Tang, A. Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype For
//            Higher-Precision Computations, 2019.
#include "gemm/split.h"
#include "simd/amx.h"

namespace fastcnn::gemm::amx {
namespace {

using namespace fastcnn::amx;
static_assert(kSplitTileBytes == kTileBytes && kSplitRows == kTileRows);

constexpr int kA = 4, kB = 6;  // the first tiles of A and B; C's are 0 .. 3, row by row of two

template <int column_tiles>
FC_INLINE void load_b(const unsigned char* b, int part, std::int64_t tile_stride) {
  load_tile<kB>(b + part * column_tiles * kTileBytes);
  if constexpr (column_tiles == 2) load_tile<kB + 1>(b + part * column_tiles * kTileBytes + tile_stride);
}
template <int row_tiles, int column_tiles>
FC_INLINE void multiply_add_tiles() {
  multiply_add<0, kA, kB>();
  if constexpr (column_tiles == 2) multiply_add<1, kA, kB + 1>();
  if constexpr (row_tiles == 2) multiply_add<2, kA + 1, kB>();
  if constexpr (row_tiles == 2 && column_tiles == 2) multiply_add<3, kA + 1, kB + 1>();
}

// Calls f.template operator()<tile>(its floats) for each tile of C.
template <int row_tiles, int column_tiles, class Body>
FC_INLINE void each_c(float* c, const Body& body) {
  constexpr int kFloats = kTileBytes / sizeof(float);
  body.template operator()<0>(c);
  if constexpr (column_tiles == 2) body.template operator()<1>(c + kFloats);
  if constexpr (row_tiles == 2) body.template operator()<2>(c + column_tiles * kFloats);
  if constexpr (row_tiles == 2 && column_tiles == 2) body.template operator()<3>(c + 3 * kFloats);
}

template <int parts, int row_tiles, int column_tiles>
void multiply_tiles(const SplitProduct& p) {
  const auto product = [] { multiply_add_tiles<row_tiles, column_tiles>(); };
  const unsigned char *b = p.b, *next = p.next;
  if (p.finish != nullptr && p.finish->ahead != nullptr) avx512bf16::prefetch(*p.finish);
  if (p.accumulate)
    each_c<row_tiles, column_tiles>(p.c, []<int t>(float* c) { load_tile<t>(c); });
  else
    each_c<row_tiles, column_tiles>(p.c, []<int t>(float*) { zero_tile<t>(); });
  const std::int64_t b_step = p.b_step_stride != 0 ? p.b_step_stride : parts * column_tiles * kTileBytes;
  for (const SplitRun* run = p.runs; run < p.runs + p.num_runs; ++run) {
    if (run->b != nullptr) b = run->b;
    const unsigned char *first = run->a[0], *second = run->a[row_tiles - 1];
    for (std::int64_t step = 0; step < run->steps; ++step) {
      const auto a_part = [&](int part) {
        load_tile<kA>(first + (part - 1) * p.part_stride, p.row_stride);
        if constexpr (row_tiles == 2) load_tile<kA + 1>(second + (part - 1) * p.part_stride, p.row_stride);
      };
      const auto b_part = [&](int part) { load_b<column_tiles>(b, part - 1, p.b_tile_stride); };
      if constexpr (parts == 3) {
        a_part(3), b_part(1), product();
        a_part(2), product();
        b_part(2), product();
        a_part(1), product();
        b_part(3), product();
        b_part(1), product();
      } else if constexpr (parts == 2) {
        a_part(2), b_part(1), product();
        a_part(1), product();
        b_part(2), product();
      } else {
        a_part(1), b_part(1), product();
      }
      for (const unsigned char* end = next + p.next_bytes; next < end; next += kTileRowBytes)
        _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
      next += p.next_skip;
      first += p.step_stride;
      second += p.step_stride;
      b += b_step;
    }
  }
  each_c<row_tiles, column_tiles>(p.c, []<int t>(float* c) { store_tile<t>(c); });
  if (p.finish != nullptr) avx512bf16::finish(*p.finish);
}

template <int parts>
void multiply(const SplitProduct& p) {
  if (p.row_tiles == 2)
    p.column_tiles == 2 ? multiply_tiles<parts, 2, 2>(p) : multiply_tiles<parts, 2, 1>(p);
  else
    p.column_tiles == 2 ? multiply_tiles<parts, 1, 2>(p) : multiply_tiles<parts, 1, 1>(p);
}

void configure(int rows) {
  TileConfig config;
  for (int t = 0; t < kB + kSplitTiles; ++t) {
    config.row_bytes[t] = kTileRowBytes;
    config.rows[t] = static_cast<std::uint8_t>(t < kB ? rows : kTileRows);
  }
  fastcnn::amx::configure(config);
}
void release() { fastcnn::amx::release(); }

}  // namespace

const SplitEngine bf16x6{3, kSplitRows, avx512bf16::three_parts, configure, release, multiply<3>};
const SplitEngine bf16x3{2, kSplitRows, avx512bf16::two_parts, configure, release, multiply<2>};
const SplitEngine bf16{1, kSplitRows, avx512bf16::one_part, configure, release, multiply<1>};

}  // namespace fastcnn::gemm::amx

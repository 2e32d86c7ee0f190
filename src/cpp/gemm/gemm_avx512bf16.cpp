// Computes   C = A B from factors rounded to bfloat16, sums in float32 (the contract: split.h).
// Layout     tiles of A, whose rows hold pairs of terms, and of B, whose rows hold the pairs of 16 columns
//            (split_avx512bf16.cpp): a pair of A is broadcast to a register and meets a row of a tile of B.
// Tile       14 x 32: 28 accumulators + 2 of B + 1 broadcast of A = 31 of 32 registers; the 16 rows of a tile of
//            outer products are 8 + 8.
// Why        two dot products of 16 pairs start each cycle (Zen 5), or one (Zen 4, Intel), beside 16 loads for 28 of
//            them. All of 7 to 14 rows are as fast while B is in L1; with many it is read from L2 less often.
// Needs      AVX512-BF16.
// Accuracy   products are exact, sums of pairs and their addition round to nearest. Factors and sums below 2^-126 count
//            as zero.
#include "gemm/split.h"
#include "simd/avx512.h"

namespace fastcnn::gemm::avx512bf16 {
namespace {

#include "simd/dot_step.inl"

constexpr int kRows = 14;  // of a micro-tile
constexpr std::int64_t kTileFloats = kSplitTileBytes / sizeof(float), kRowFloats = kTileFloats / kSplitRows;

struct Pairs {
  using Sum = __m512;
  static FC_INLINE Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
};

// Of tile `t` of A, `rows` rows from `first_row` on.
template <int rows, int column_tiles>
void multiply_rows(const SplitProduct& p, int t, int first_row) {
  float* c = p.c + t * column_tiles * kTileFloats + first_row * kRowFloats;
  __m512 sums[rows][column_tiles];
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < column_tiles; ++n)
      sums[r][n] = p.accumulate ? _mm512_loadu_ps(c + n * kTileFloats + r * kRowFloats) : _mm512_setzero_ps();
  const unsigned char* b = p.b;
  const std::int64_t b_step = p.b_step_stride != 0 ? p.b_step_stride : column_tiles * kSplitTileBytes;
  for (const SplitRun* run = p.runs; run < p.runs + p.num_runs; ++run) {
    if (run->b != nullptr) b = run->b;
    const unsigned char* a = run->a[t] + first_row * p.row_stride;
    for (std::int64_t step = 0; step < run->steps; ++step, a += p.step_stride, b += b_step)
      dot_step<Pairs>(sums, a, p.row_stride, b, p.b_tile_stride);
  }
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < column_tiles; ++n) _mm512_storeu_ps(c + n * kTileFloats + r * kRowFloats, sums[r][n]);
}

using MultiplyRows = void (*)(const SplitProduct&, int, int);
constexpr MultiplyRows kMultiply[kRows][kSplitTiles] = {
    {multiply_rows<1, 1>, multiply_rows<1, 2>},   {multiply_rows<2, 1>, multiply_rows<2, 2>},
    {multiply_rows<3, 1>, multiply_rows<3, 2>},   {multiply_rows<4, 1>, multiply_rows<4, 2>},
    {multiply_rows<5, 1>, multiply_rows<5, 2>},   {multiply_rows<6, 1>, multiply_rows<6, 2>},
    {multiply_rows<7, 1>, multiply_rows<7, 2>},   {multiply_rows<8, 1>, multiply_rows<8, 2>},
    {multiply_rows<9, 1>, multiply_rows<9, 2>},   {multiply_rows<10, 1>, multiply_rows<10, 2>},
    {multiply_rows<11, 1>, multiply_rows<11, 2>}, {multiply_rows<12, 1>, multiply_rows<12, 2>},
    {multiply_rows<13, 1>, multiply_rows<13, 2>}, {multiply_rows<14, 1>, multiply_rows<14, 2>}};

void multiply(const SplitProduct& p) {
  const int first = p.tile_rows <= kRows ? p.tile_rows : (p.tile_rows + 1) / 2;
  for (int t = 0; t < p.row_tiles; ++t)
    for (int row = 0; row < p.tile_rows; row += first) {
      const int rows = p.tile_rows - row < first ? p.tile_rows - row : first;
      kMultiply[rows - 1][p.column_tiles - 1](p, t, row);
    }
  const unsigned char* next = p.next;
  for (const SplitRun* run = p.runs; next != nullptr && run < p.runs + p.num_runs; ++run)
    for (std::int64_t step = 0; step < run->steps; ++step, next += p.next_skip)
      for (const unsigned char* end = next + p.next_bytes; next < end; next += kSplitRowBytes)
        _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
}

void nothing_to_configure(int) {}
void nothing_to_release() {}

}  // namespace

const SplitEngine bf16{1, kRows, one_part, nothing_to_configure, nothing_to_release, multiply};

}  // namespace fastcnn::gemm::avx512bf16

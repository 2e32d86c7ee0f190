// Computes   C = act(A B + bias + residual) from numbers in bfloat16, few terms a sum (the contract: split.h).
// Layout     rows of A, and the runs of each, in the picture itself; of B tiles whose rows hold pairs of 16 columns.
// Tile       8 x 32: 16 accumulators + 2 of B + 1 broadcast of A, 4 for the results.
// Why        a tile of 14 rows is made ready and finished for as long as it is multiplied. Here nothing is to be made
//            ready but three addresses, and the sums of a tile are few enough for the processor to begin the next while
//            it finishes them. B is in L1, so that 10 loads for 16 products do not matter.
// Needs      AVX512-BF16.
// Accuracy   as gemm_avx512bf16.cpp, and the same bits.
#include "core/bf16.h"
#include "gemm/split.h"
#include "simd/avx512.h"
#include "simd/math.inl"

namespace fastcnn::gemm::avx512bf16 {
namespace {

#include "gemm/avx512bf16_rows.inl"
#include "gemm/prefetch_rows.inl"
#include "simd/dot_step.inl"

constexpr int kRows = 8;

// Rows from `first` on.
template <int rows, bool residual, bool bf16_c, int column_tiles>
FC_INLINE void multiply_rows(const ShortProduct& p, const Bounds& bounds, const Columns<column_tiles>& columns,
                             std::int64_t first) {
  const SplitFinish& f = *p.finish;
  const std::int64_t at = first * p.pitch;
  if (p.calls_in)
    for (int r = 0; r < rows; ++r) prefetch_row(f, at + (r + p.rows) * p.pitch);
  __m512 sums[rows][column_tiles] = {};
  const unsigned char *row = p.a + first * p.row_stride, *b = p.b;
  for (int run = 0; run < p.num_runs; ++run, row += p.run_stride)
    for (int k = 0; k < p.pairs; k += kSplitDepth / 2, b += column_tiles * kSplitTileBytes) {
      const unsigned char* const a[] = {row + k * 4};
      const int left = p.pairs - k;
      dot_step<Pairs>(sums, a, p.row_stride, b, kSplitTileBytes, left < kSplitDepth / 2 ? left : kSplitDepth / 2);
    }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) finish_row<residual, bf16_c>(f, bounds, columns, sums[r], at + r * p.pitch);
}

template <int column_tiles>
void multiply_panel(const ShortProduct& p) {
  const SplitFinish& f = *p.finish;
  const Bounds bounds(f.activation);
  const Columns<column_tiles> columns(f);
  with_kind(f, [&]<bool residual, bool bf16_c>() {
    std::int64_t r = 0;
    for (; r + kRows <= p.rows; r += kRows) multiply_rows<kRows, residual, bf16_c>(p, bounds, columns, r);
    if (p.rows - r >= 4) multiply_rows<4, residual, bf16_c>(p, bounds, columns, r), r += 4;
    for (; r < p.rows; ++r) multiply_rows<1, residual, bf16_c>(p, bounds, columns, r);
  });
}

}  // namespace

void multiply_short(const ShortProduct& p) {
  p.finish->column_tiles == 2 ? multiply_panel<2>(p) : multiply_panel<1>(p);
}

}  // namespace fastcnn::gemm::avx512bf16

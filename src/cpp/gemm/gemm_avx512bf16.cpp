// Computes   C = A B from factors rounded to bfloat16, sums in float32 (the contract: split.h).
// Layout     tiles of A, whose rows hold pairs of terms, and of B, whose rows hold the pairs of 16 columns
//            (split_avx512bf16.cpp): a pair of A is broadcast to a register and meets a row of a tile of B.
// Tile       14 x 32: 28 accumulators + 2 of B + 1 broadcast of A = 31 of 32 registers; the 16 rows of a tile of
//            outer products are 8 + 8. Sums become results before they leave the registers, where that is a matter of
//            bounds.
// Why        two dot products of 16 pairs start each cycle (Zen 5), or one (Zen 4, Intel), beside 16 loads for 28 of
//            them. All of 7 to 14 rows are as fast while B is in L1; with many it is read from L2 less often.
// Needs      AVX512-BF16.
// Accuracy   products are exact, sums of pairs and their addition round to nearest. Factors and sums below 2^-126 count
//            as zero.
#include "core/bf16.h"
#include "gemm/split.h"
#include "simd/avx512.h"
#include "simd/math.inl"

namespace fastcnn::gemm::avx512bf16 {
namespace {

#include "gemm/avx512bf16_rows.inl"
#include "gemm/prefetch_rows.inl"
#include "simd/dot_step.inl"

constexpr int kRows = 14;  // of a micro-tile
constexpr std::int64_t kTileFloats = kSplitTileBytes / sizeof(float), kRowFloats = kTileFloats / kSplitRows;

// Where a micro-tile starts in A; its share, in bytes, of what each step calls in, and its rows of `ahead`.
struct MicroTile {
  int tile, first_row;
  std::int64_t next_begin, next_end;
  int ahead_begin, ahead_end;
};

// Calls in rows of a result, some with each step: all at once they would take every fill buffer from A and B.
class RowsAhead {
 public:
  RowsAhead(const SplitProduct& p, const MicroTile& m)
      : f_(p.finish), row_(static_cast<unsigned>(m.ahead_begin)), end_(static_cast<unsigned>(m.ahead_end)) {
    unsigned steps = 0;
    for (int i = 0; i < p.num_runs; ++i) steps += static_cast<unsigned>(p.runs[i].steps);
    share_ = steps > 0 ? ((end_ - row_) * kUnit + steps - 1) / steps : (end_ - row_) * kUnit;
    due_ = row_ * kUnit;
    if (steps == 0) step();  // what lies between the strides of a transposed convolution has no terms
  }
  FC_INLINE void step() {
    due_ += share_;
    const unsigned up_to = (due_ + kUnit - 1) / kUnit, due = up_to < end_ ? up_to : end_;
    if (row_ < due) prefetch_rows(*f_, static_cast<int>(row_), static_cast<int>(due));
    row_ = due;
  }

 private:
  static constexpr unsigned kUnit = 64;  // of a row

  const SplitFinish* f_;
  unsigned row_, end_, share_, due_;
};

// As finish() of a strip (split_avx512bf16.cpp) the rows of a micro-tile.
template <int rows, int tile_rows, int column_tiles>
FC_INLINE void finish_rows(const SplitFinish& f, const MicroTile& m, const __m512 (&sums)[rows][column_tiles]) {
  const Bounds bounds(f.activation);
  const Columns<column_tiles> columns(f);
  with_kind(f, [&]<bool residual, bool bf16_c>() {
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      const int row = (m.tile + r / tile_rows) * f.tile_rows + m.first_row + r % tile_rows;
      if (row < f.rows && f.at[row] >= 0) finish_row<residual, bf16_c>(f, bounds, columns, sums[r], f.at[row]);
    }
  });
}

// `rows` rows of each of `tiles` tiles of A.
template <int tiles, int rows, int column_tiles>
void multiply_rows(const SplitProduct& p, const MicroTile& m) {
  __m512 sums[tiles * rows][column_tiles];
  float* const first_c = p.c + m.tile * column_tiles * kTileFloats + m.first_row * kRowFloats;
  const auto each_c = [&](const auto& body) {
#pragma GCC unroll 14
    for (int r = 0; r < tiles * rows; ++r)
#pragma GCC unroll 2
      for (int n = 0; n < column_tiles; ++n)
        body(sums[r][n], first_c + (r / rows * column_tiles + n) * kTileFloats + r % rows * kRowFloats);
  };
  each_c([&](__m512& sum, const float* c) { sum = p.accumulate ? _mm512_loadu_ps(c) : _mm512_setzero_ps(); });
  const std::int64_t b_step = p.b_step_stride != 0 ? p.b_step_stride : column_tiles * kSplitTileBytes;
  const auto multiply_add = [&]<bool ahead>() {
    const unsigned char *b = p.b, *next = p.next;
    RowsAhead rows_ahead(p, m);
    for (const SplitRun* run = p.runs; run < p.runs + p.num_runs; ++run) {
      if (run->b != nullptr) b = run->b;
      const unsigned char* a[tiles];
      for (int t = 0; t < tiles; ++t) a[t] = run->a[m.tile + t] + m.first_row * p.row_stride;
      for (std::int64_t step = 0; step < run->steps; ++step, b += b_step) {
        if constexpr (ahead) rows_ahead.step();
        const int pairs = step + 1 < run->steps ? kSplitDepth / 2 : p.last_pairs;
        dot_step<Pairs>(sums, a, p.row_stride, b, p.b_tile_stride, pairs);
        for (int t = 0; t < tiles; ++t) a[t] += p.step_stride;
        if constexpr (ahead) {
          for (std::int64_t i = m.next_begin; i < m.next_end; i += kSplitRowBytes)
            _mm_prefetch(reinterpret_cast<const char*>(next + i), _MM_HINT_T1);
          next += p.next_bytes + p.next_skip;
        }
      }
    }
  };
  if (m.next_begin == m.next_end && m.ahead_begin == m.ahead_end)
    multiply_add.template operator()<false>();
  else
    multiply_add.template operator()<true>();
  if (p.finish != nullptr && bounds_suffice(p.finish->activation))
    finish_rows<tiles * rows, rows>(*p.finish, m, sums);
  else
    each_c([](__m512 sum, float* c) { _mm512_storeu_ps(c, sum); });
}

using MultiplyRows = void (*)(const SplitProduct&, const MicroTile&);
template <int tiles, int rows>
constexpr MultiplyRows kColumns[kSplitTiles] = {multiply_rows<tiles, rows, 1>, multiply_rows<tiles, rows, 2>};
constexpr const MultiplyRows* kOneTile[kRows] = {kColumns<1, 1>,  kColumns<1, 2>,  kColumns<1, 3>,  kColumns<1, 4>,
                                                 kColumns<1, 5>,  kColumns<1, 6>,  kColumns<1, 7>,  kColumns<1, 8>,
                                                 kColumns<1, 9>,  kColumns<1, 10>, kColumns<1, 11>, kColumns<1, 12>,
                                                 kColumns<1, 13>, kColumns<1, 14>};
constexpr const MultiplyRows* kTwoTiles[kRows / 2] = {kColumns<2, 1>, kColumns<2, 2>, kColumns<2, 3>, kColumns<2, 4>,
                                                      kColumns<2, 5>, kColumns<2, 6>, kColumns<2, 7>};

int rows_ahead(const SplitProduct& p) { return p.finish != nullptr && p.finish->ahead != nullptr ? p.finish->rows : 0; }

void multiply_by_tiles(const SplitProduct& p, int columns) {
  const int parts = p.tile_rows <= kRows ? 1 : 2, first = (p.tile_rows + parts - 1) / parts;
  const std::int64_t share =
      p.next_bytes == 0 ? 0 : round_up(ceil_div(p.next_bytes, p.row_tiles * parts), kSplitRowBytes);
  const int parts_in_all = p.row_tiles * parts;
  int part = 0;
  MicroTile m{};
  for (; m.tile < p.row_tiles; ++m.tile)
    for (m.first_row = 0; m.first_row < p.tile_rows; m.first_row += first) {
      m.next_end = min_i64(p.next_bytes, m.next_begin + share);
      m.ahead_end = rows_ahead(p) * ++part / parts_in_all;
      const int rows = p.tile_rows - m.first_row < first ? p.tile_rows - m.first_row : first;
      kOneTile[rows - 1][columns](p, m);
      m.next_begin = m.next_end, m.ahead_begin = m.ahead_end;
    }
}

void multiply(const SplitProduct& p) {
  const int columns = p.column_tiles - 1;
  if (p.row_tiles == 2 && 2 * p.tile_rows <= kRows)
    kTwoTiles[p.tile_rows - 1][columns](p, {0, 0, 0, p.next_bytes, 0, rows_ahead(p)});
  else
    multiply_by_tiles(p, columns);
  if (p.finish != nullptr && !bounds_suffice(p.finish->activation)) finish(*p.finish);
}

void nothing_to_configure(int) {}
void nothing_to_release() {}

}  // namespace

const SplitEngine bf16{1, kRows, one_part, nothing_to_configure, nothing_to_release, multiply, multiply_short};

}  // namespace fastcnn::gemm::avx512bf16

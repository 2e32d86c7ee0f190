// Folds of f(x) over a run of elements or down the rows of a matrix, in blocks that depend on the shape alone: kBlock
// terms are added to a block, blocks to a total. Callers cut what is longer than kBlock blocks (kReduceRun, kReduceRows
// in reduce.h) into chunks and add these in double, so a sum has the rounding error of 2 kBlock additions at worst. f
// may give several values (count): a sum and a sum of squares in one pass.
#pragma once

#include "core/base.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kBlock = 32;

struct SumFold {
  static FC_INLINE F32 start() { return zero(); }
  static FC_INLINE F32 step(F32 acc, F32 x) { return acc + x; }
  static FC_INLINE float across(F32 acc) { return reduce_add(acc); }
  static FC_INLINE double step(double acc, double x) { return acc + x; }
  static constexpr double none = 0.0;
};

struct MaxFold {
  static FC_INLINE F32 start() { return set(-__builtin_inff()); }
  static FC_INLINE F32 step(F32 acc, F32 x) { return max_nan(acc, x); }
  static FC_INLINE float across(F32 acc) { return any(is_nan(acc)) ? __builtin_nanf("") : reduce_max(acc); }
  static FC_INLINE double step(double acc, double x) { return acc > x || acc != acc ? acc : x; }
  static constexpr double none = -__builtin_inf();
};

struct MinFold {
  static FC_INLINE F32 start() { return set(__builtin_inff()); }
  static FC_INLINE F32 step(F32 acc, F32 x) { return min_nan(acc, x); }
  static FC_INLINE float across(F32 acc) { return any(is_nan(acc)) ? __builtin_nanf("") : -reduce_max(-acc); }
  static FC_INLINE double step(double acc, double x) { return acc < x || acc != acc ? acc : x; }
  static constexpr double none = __builtin_inf();
};

// One value of a run of n elements.
template <class Fold, class Item, class F>
FC_INLINE float fold_run(const Item* x, std::int64_t n, const F& f) {
  constexpr int kUnroll = 4;
  F32 total = Fold::start();
  while (n >= kUnroll * F32::width) {
    F32 acc[kUnroll];
    for (int r = 0; r < kUnroll; ++r) acc[r] = Fold::start();
    const std::int64_t steps = min_i64(kBlock, n / (kUnroll * F32::width));
    for (std::int64_t i = 0; i < steps; ++i, x += kUnroll * F32::width)
      for (int r = 0; r < kUnroll; ++r) acc[r] = Fold::step(acc[r], f(load(x + r * F32::width)));
    total = Fold::step(total, Fold::step(Fold::step(acc[0], acc[1]), Fold::step(acc[2], acc[3])));
    n -= steps * kUnroll * F32::width;
  }
  for (; n > 0; n -= F32::width, x += F32::width)
    total = Fold::step(total, select(first(n), f(load(x, n)), Fold::start()));
  return Fold::across(total);
}

// Calls in what fold_columns() reads of `x` some steps after `column` of `row`: four registers on, or the same of the
// next block of rows. Columns of many rows are pieces too short for the hardware to foresee.
template <class Item>
FC_INLINE void call_in_columns(const Item* x, std::int64_t row, std::int64_t column, std::int64_t columns) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(Item));
  if (column % kLine != 0) return;
  const std::int64_t next = column + 4 * F32::width;
  __builtin_prefetch(x + (next < columns ? row * columns + next : (row + kBlock) * columns + next - columns));
}

// Columns [c, c + registers * width), or the `lanes` left of them, over at most kBlock rows. f(row, column, lanes,
// values) gives a register's `count` values; fold k of column c goes to, or is folded into, out[k * pitch + c]. Fewer
// than four registers of columns leave room for several rows at once: four chains hide the latency of one.
template <class Fold, int count, int registers, bool tail, class F>
FC_INLINE void fold_block(std::int64_t begin, std::int64_t end, std::int64_t c, std::int64_t lanes, const F& f,
                          float* out, std::int64_t pitch, bool is_first) {
  constexpr int kPhases = 4 / registers;
  F32 acc[kPhases][count][registers];
  for (int p = 0; p < kPhases; ++p)
    for (int k = 0; k < count; ++k)
      for (int r = 0; r < registers; ++r) acc[p][k][r] = Fold::start();
  const auto add_row = [&](std::int64_t i, int p) {
    for (int r = 0; r < registers; ++r) {
      F32 values[count];
      if constexpr (tail)
        f(i, c, Part{lanes}, values);
      else
        f(i, c + r * F32::width, Whole{}, values);
      for (int k = 0; k < count; ++k) acc[p][k][r] = Fold::step(acc[p][k][r], values[k]);
    }
  };
  std::int64_t i = begin;
  for (; i + kPhases <= end; i += kPhases)
    for (int p = 0; p < kPhases; ++p) add_row(i + p, p);
  if (kPhases > 1)
    for (; i < end; ++i) add_row(i, 0);
  for (int k = 0; k < count; ++k)
    for (int r = 0; r < registers; ++r) {
      F32 sum = acc[0][k][r];
      for (int p = 1; p < kPhases; ++p) sum = Fold::step(sum, acc[p][k][r]);
      float* y = out + k * pitch + c + r * F32::width;
      if (!is_first) sum = Fold::step(tail ? load(y, lanes) : load(y), sum);
      tail ? store(y, sum, lanes) : store(y, sum);
    }
}

// Columns [begin, end) of any number of rows. Blocks of rows are the outer loop, so that neighbouring columns of a row
// are read while its line and its page are at hand.
template <class Fold, int count, class F>
FC_INLINE void fold_columns(std::int64_t rows, std::int64_t begin, std::int64_t end, const F& f, float* out,
                            std::int64_t pitch) {
  std::int64_t i = 0;
  do {
    const std::int64_t stop = min_i64(rows, i + kBlock);
    const bool is_first = i == 0;
    std::int64_t c = begin;
    for (; c + 4 * F32::width <= end; c += 4 * F32::width)
      fold_block<Fold, count, 4, false>(i, stop, c, 0, f, out, pitch, is_first);
    for (; c + 2 * F32::width <= end; c += 2 * F32::width)
      fold_block<Fold, count, 2, false>(i, stop, c, 0, f, out, pitch, is_first);
    for (; c + F32::width <= end; c += F32::width)
      fold_block<Fold, count, 1, false>(i, stop, c, 0, f, out, pitch, is_first);
    if (c < end) fold_block<Fold, count, 1, true>(i, stop, c, end - c, f, out, pitch, is_first);
    i = stop;
  } while (i < rows);
}

// The same for one operand: row(i) is where row i starts, f(column, x, values).
template <class Fold, int count, class Row, class F>
FC_INLINE void fold_columns(const Row& row, std::int64_t rows, std::int64_t begin, std::int64_t end, const F& f,
                            float* out, std::int64_t pitch) {
  fold_columns<Fold, count>(
      rows, begin, end,
      [&](std::int64_t i, std::int64_t c, auto lanes, F32* values) { f(c, load(row(i) + c, lanes), values); }, out,
      pitch);
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

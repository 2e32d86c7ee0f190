// Folds of f(x) over a run of elements or down the rows of a matrix, in blocks that depend on the shape alone: kBlock
// terms are added to a block, blocks to a total. Callers cut what is longer than kBlock blocks (kReduceRun, kReduceRows
// in reduce.h) into chunks and add these in double, so a sum has the rounding error of 2 kBlock additions at worst. f
// may give several values (count): a sum and a sum of squares in one pass.
#pragma once

#include "core/base.h"
#include "simd/math.inl"

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
template <class Fold, class F>
FC_INLINE float fold_run(const float* x, std::int64_t n, const F& f) {
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

// Columns [c, c + registers * width), or the `lanes` left of them, over `rows` rows; row(i) is where row i starts.
// f(register's column, x, values) gives `count` values; fold k of column c goes to out[k * pitch + c].
template <class Fold, int count, int registers, bool tail, class Row, class F>
FC_INLINE void fold_block(const Row& row, std::int64_t rows, std::int64_t c, std::int64_t lanes, const F& f, float* out,
                          std::int64_t pitch) {
  F32 total[count][registers];
  for (int k = 0; k < count; ++k)
    for (int r = 0; r < registers; ++r) total[k][r] = Fold::start();
  for (std::int64_t i = 0; i < rows;) {
    F32 acc[count][registers];
    for (int k = 0; k < count; ++k)
      for (int r = 0; r < registers; ++r) acc[k][r] = Fold::start();
    for (const std::int64_t end = min_i64(rows, i + kBlock); i < end; ++i) {
      const float* x = row(i) + c;
      for (int r = 0; r < registers; ++r) {
        F32 values[count];
        f(c + r * F32::width, tail ? load(x, lanes) : load(x + r * F32::width), values);
        for (int k = 0; k < count; ++k) acc[k][r] = Fold::step(acc[k][r], values[k]);
      }
    }
    for (int k = 0; k < count; ++k)
      for (int r = 0; r < registers; ++r) total[k][r] = Fold::step(total[k][r], acc[k][r]);
  }
  for (int k = 0; k < count; ++k)
    for (int r = 0; r < registers; ++r) {
      float* y = out + k * pitch + c + r * F32::width;
      tail ? store(y, total[k][r], lanes) : store(y, total[k][r]);
    }
}

// Columns [begin, end) likewise.
template <class Fold, int count, class Row, class F>
FC_INLINE void fold_columns(const Row& row, std::int64_t rows, std::int64_t begin, std::int64_t end, const F& f,
                            float* out, std::int64_t pitch) {
  constexpr int kRegisters = 4;
  std::int64_t c = begin;
  for (; c + kRegisters * F32::width <= end; c += kRegisters * F32::width)
    fold_block<Fold, count, kRegisters, false>(row, rows, c, 0, f, out, pitch);
  for (; c + F32::width <= end; c += F32::width) fold_block<Fold, count, 1, false>(row, rows, c, 0, f, out, pitch);
  if (c < end) fold_block<Fold, count, 1, true>(row, rows, c, end - c, f, out, pitch);
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

// Computes   softmax_gradient, log_softmax_gradient (the contract: softmax.h).
// Layout     along the last axis a row is a run of elements; along another, a register holds neighbouring columns and
//            steps down the rows.
// Tile       one register a step; sums as the folds of ops/reduce/fold.inl.
// Why        two passes, the second over what the first has brought into the cache: bound by memory.
// Needs      nothing: tails are masked.
// Accuracy   sums in blocks of 32 terms a lane, then a few roundings a result.
#include "ops/reduce/fold.inl"
#include "ops/softmax/softmax.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

// What a position adds to its row's sum, and what it gets of it.
template <bool logarithm>
FC_INLINE F32 term(F32 y, F32 dy) {
  return logarithm ? dy : y * dy;
}
template <bool logarithm>
FC_INLINE F32 result(F32 y, F32 dy, F32 sum) {
  return logarithm ? fnma(exp(y), sum, dy) : y * (dy - sum);
}

// n rows of up to F32::width columns, `step` apart.
template <bool logarithm>
FC_INLINE void columns(const float* y, const float* dy, float* dx, std::int64_t n, std::int64_t step,
                       std::int64_t lanes) {
  F32 sum = zero();
  for (std::int64_t i = 0; i < n;) {
    F32 block = zero();
    for (const std::int64_t end = min_i64(n, i + kBlock); i < end; ++i)
      block = block + term<logarithm>(load(y + i * step, lanes), load(dy + i * step, lanes));
    sum = sum + block;
  }
  for (std::int64_t i = 0; i < n; ++i)
    store(dx + i * step, result<logarithm>(load(y + i * step, lanes), load(dy + i * step, lanes), sum), lanes);
}

template <bool logarithm>
FC_INLINE void row(const float* y, const float* dy, float* dx, std::int64_t n) {
  F32 total = zero();
  for (std::int64_t i = 0; i < n;) {
    F32 block = zero();
    const std::int64_t end = min_i64(n, i + kBlock * F32::width);
    for (; i < end; i += F32::width)  // lanes beyond the row are zero in both
      block = block + term<logarithm>(load(y + i, end - i), load(dy + i, end - i));
    total = total + block;
  }
  const F32 sum = set(reduce_add(total));
  each_register(n, [&](std::int64_t i, auto lanes) {
    store(dx + i, result<logarithm>(load(y + i, lanes), load(dy + i, lanes), sum), lanes);
  });
}

template <bool logarithm>
FC_INLINE void gradient(const KernelArgs& args) {
  const Shape& shape = args.in[0].shape();
  const int axis = args.problem.as<SoftmaxParams>().axis;
  const std::int64_t rows = shape.product(0, axis), n = shape[axis], step = shape.product(axis + 1, shape.rank);
  if (shape.size() == 0) return;
  const float *y = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dx = args.out[0].as<float>();
  constexpr std::int64_t kTask = 8192;
  if (step == 1)
    return parallel_ranges(rows, max_i64(1, kTask / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) row<logarithm>(y + i * n, dy + i * n, dx + i * n, n);
    });
  const std::int64_t blocks = ceil_div(step, F32::width);
  parallel_ranges(rows * blocks, max_i64(1, kTask / (n * F32::width)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % blocks * F32::width, at = i / blocks * n * step + column;
      columns<logarithm>(y + at, dy + at, dx + at, n, step, step - column);
    }
  });
}

}  // namespace

void softmax_gradient(const KernelArgs& args) { gradient<false>(args); }
void log_softmax_gradient(const KernelArgs& args) { gradient<true>(args); }

}  // namespace fastcnn::FC_SIMD

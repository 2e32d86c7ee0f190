// Computes   softmax, log_softmax (the contract: softmax.h).
// Layout     along the last axis, a row is a run of elements, of one register at most or of several; along another
//            axis, a register holds neighbouring columns and steps down the rows.
// Tile       two registers a step along a row; one register of columns.
// Why        three passes over data that the first has brought into the cache - maximum, sum of exponentials, result -
//            with the exponential (a chain of a dozen operations) dominating; softmax keeps the exponentials in the
//            result and only scales them in the third.
// Needs      nothing: tails are masked, lanes beyond the row holding -inf.
// Accuracy   exponentials to 1 ulp; sums in blocks of 64 terms a lane; one more rounding for the reciprocal of the sum.
#include "ops/softmax/softmax.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kBlock = 64;

FC_INLINE F32 load_or_minus_inf(const float* x, std::int64_t n) {
  return select(first(n), load(x, n), set(-__builtin_inff()));
}

template <bool logarithm>
FC_INLINE void short_row(const float* x, float* y, std::int64_t n) {
  const F32 v = load_or_minus_inf(x, n), d = v - set(reduce_max(v)), e = exp(d);
  const F32 sum = set(reduce_add(e));
  store(y, logarithm ? d - log(sum) : e / sum, n);
}

template <bool logarithm>
FC_INLINE void long_row(const float* x, float* y, std::int64_t n) {
  F32 a = set(-__builtin_inff()), b = a;
  std::int64_t i = 0;
  for (; i + 2 * F32::width <= n; i += 2 * F32::width) {
    a = max(a, load(x + i));
    b = max(b, load(x + i + F32::width));
  }
  for (; i < n; i += F32::width) a = max(a, load_or_minus_inf(x + i, n - i));
  const F32 m = set(reduce_max(max(a, b)));

  F32 total = zero();
  for (i = 0; i < n;) {
    const std::int64_t end = min_i64(n, i + 2 * kBlock * F32::width);
    a = b = zero();
    for (; i + 2 * F32::width <= end; i += 2 * F32::width) {
      const F32 ea = exp(load(x + i) - m), eb = exp(load(x + i + F32::width) - m);
      a = a + ea;
      b = b + eb;
      if (!logarithm) {
        store(y + i, ea);
        store(y + i + F32::width, eb);
      }
    }
    for (; i < end; i += F32::width) {
      const F32 e = exp(load_or_minus_inf(x + i, end - i) - m);
      a = a + e;
      if (!logarithm) store(y + i, e, end - i);
    }
    total = total + (a + b);
  }

  const F32 sum = set(reduce_add(total));
  const F32 factor = logarithm ? log(sum) : set(1.0f) / sum;
  each_register(n, [&](std::int64_t k, auto lanes) {
    store(y + k, logarithm ? load(x + k, lanes) - m - factor : load(y + k, lanes) * factor, lanes);
  });
}

// n rows of up to F32::width columns, `step` apart.
template <bool logarithm>
FC_INLINE void columns(const float* x, float* y, std::int64_t n, std::int64_t step, std::int64_t lanes) {
  F32 m = set(-__builtin_inff());
  for (std::int64_t i = 0; i < n; ++i) m = max(m, load(x + i * step, lanes));
  F32 total = zero();
  for (std::int64_t i = 0; i < n;) {
    F32 block = zero();
    for (const std::int64_t end = min_i64(n, i + kBlock); i < end; ++i) {
      const F32 e = exp(load(x + i * step, lanes) - m);
      if (!logarithm) store(y + i * step, e, lanes);
      block = block + e;
    }
    total = total + block;
  }
  const F32 factor = logarithm ? log(total) : set(1.0f) / total;
  for (std::int64_t i = 0; i < n; ++i)
    store(y + i * step, logarithm ? load(x + i * step, lanes) - m - factor : load(y + i * step, lanes) * factor, lanes);
}

template <bool logarithm>
FC_INLINE void normalise(const KernelArgs& args) {
  const Shape& shape = args.in[0].shape();
  const int axis = args.problem.as<SoftmaxParams>().axis;
  const std::int64_t rows = shape.product(0, axis), n = shape[axis], step = shape.product(axis + 1, shape.rank);
  if (shape.size() == 0) return;
  const float* in = args.in[0].as<float>();
  float* out = args.out[0].as<float>();
  constexpr std::int64_t kTask = 4096;
  if (step == 1)
    return parallel_ranges(rows, max_i64(1, kTask / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        n <= F32::width ? short_row<logarithm>(in + row * n, out + row * n, n)
                        : long_row<logarithm>(in + row * n, out + row * n, n);
    });
  const std::int64_t blocks = ceil_div(step, F32::width);
  parallel_ranges(rows * blocks, max_i64(1, kTask / (n * F32::width)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % blocks * F32::width, at = i / blocks * n * step + column;
      columns<logarithm>(in + at, out + at, n, step, step - column);
    }
  });
}

}  // namespace

void softmax(const KernelArgs& args) { normalise<false>(args); }
void log_softmax(const KernelArgs& args) { normalise<true>(args); }

}  // namespace fastcnn::FC_SIMD

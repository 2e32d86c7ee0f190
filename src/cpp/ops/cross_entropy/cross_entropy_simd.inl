// Computes   softmax and sigmoid cross-entropy from logits, and their gradients (the contract: cross_entropy.h).
// Layout     a row of logits is a run of elements; sigmoid's operands are one run altogether.
// Tile       one register a step; two accumulators.
// Why        no probabilities are stored: the forward pass reads a row twice (its maximum, its sum of exponentials),
// while
//            it is in the first-level cache, and keeps one number; the gradient makes the probabilities again from that
//            number in one pass. One exponential for each logit and pass dominates.
// Needs      nothing: tails are masked, lanes beyond the row holding -inf.
// Accuracy   exponentials to 1 ulp; sums in blocks of 64 registers; the rounding of lse is a relative error of the
//            gradient's probabilities.
#include "ops/cross_entropy/cross_entropy.h"
#include "simd/math.inl"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kTask = 4096;  // elements

// The sum over a row of what f(i, lanes) gives; lanes beyond the row count nothing.
template <class F>
FC_INLINE float sum_row(std::int64_t n, const F& f) {
  constexpr std::int64_t kBlock = 64 * F32::width;
  F32 total = zero();
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    F32 block = zero();
    const std::int64_t end = min_i64(n, begin + kBlock);
    std::int64_t i = begin;
    for (; i + F32::width <= end; i += F32::width) block = block + f(i, Whole{});
    if (i < end) block = block + select(first(end - i), f(i, Part{end - i}), zero());
    total = total + block;
  }
  return reduce_add(total);
}

FC_INLINE float max_row(const float* x, std::int64_t n) {
  F32 best = set(-__builtin_inff());
  std::int64_t i = 0;
  for (; i + F32::width <= n; i += F32::width) best = max(best, load(x + i));
  if (i < n) best = max(best, select(first(n - i), load(x + i, n - i), best));
  return reduce_max(best);
}

FC_INLINE float log_of(float s) {
  float values[F32::width];
  store(values, log(set(s)));
  return values[0];
}

template <class Body>
FC_INLINE void each_row(std::int64_t rows, std::int64_t classes, const Body& body) {
  parallel_ranges(rows, max_i64(1, kTask / max_i64(1, classes)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace

void softmax_cross_entropy(const KernelArgs& args) {
  const auto& p = args.problem.as<CrossEntropyParams>();
  const Tensor& labels = args.in[1];
  const std::int64_t classes = args.in[0].shape().back();
  float *loss = args.out[0].as<float>(), *lse = args.out[1].as<float>();
  each_row(args.out[0].shape().size(), classes, [&](std::int64_t row) {
    const float* x = args.in[0].as<float>() + row * classes;
    const float m = max_row(x, classes);
    const F32 largest = set(m);
    const float log_sum =
        log_of(sum_row(classes, [&](std::int64_t i, auto lanes) { return exp(load(x + i, lanes) - largest); }));
    lse[row] = m + log_sum;
    if (p.shares) {
      const float* t = labels.as<float>() + row * classes;
      loss[row] = sum_row(classes, [&](std::int64_t i, auto lanes) {
        const F32 share = load(t + i, lanes), distance = set(log_sum) - (load(x + i, lanes) - largest);
        return select(share == zero(), zero(), share * distance);
      });
    } else {
      const RowLabel l = row_label(p, labels, row, classes);
      loss[row] = l.ignored ? 0.0f : l.valid ? log_sum - (x[l.label] - m) : __builtin_nanf("");
    }
  });
}

void softmax_cross_entropy_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<CrossEntropyParams>();
  const Tensor& labels = args.in[1];
  const std::int64_t classes = args.in[0].shape().back();
  const float *lse = args.in[2].as<float>(), *dloss = args.in[3].as<float>();
  each_row(args.in[2].shape().size(), classes, [&](std::int64_t row) {
    const float* x = args.in[0].as<float>() + row * classes;
    float* dx = args.out[0].as<float>() + row * classes;
    const F32 normaliser = set(lse[row]), d = set(dloss[row]);
    if (p.shares) {
      const float* t = labels.as<float>() + row * classes;
      const F32 total = set(sum_row(classes, [&](std::int64_t i, auto lanes) { return load(t + i, lanes); }));
      return each_register(classes, [&](std::int64_t i, auto lanes) {
        store(dx + i, d * (exp(load(x + i, lanes) - normaliser) * total - load(t + i, lanes)), lanes);
      });
    }
    const RowLabel l = row_label(p, labels, row, classes);
    if (l.ignored || !l.valid) {
      const F32 all = l.ignored ? zero() : set(__builtin_nanf(""));
      return each_register(classes, [&](std::int64_t i, auto lanes) { store(dx + i, all, lanes); });
    }
    each_register(classes,
                  [&](std::int64_t i, auto lanes) { store(dx + i, d * exp(load(x + i, lanes) - normaliser), lanes); });
    dx[l.label] -= dloss[row];
  });
}

void sigmoid_cross_entropy(const KernelArgs& args) {
  const float *x = args.in[0].as<float>(), *t = args.in[1].as<float>();
  float* loss = args.out[0].as<float>();
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    const F32 v = load(x + i, lanes);
    store(loss + i, max(zero(), v) - v * load(t + i, lanes) + log1p_unit(exp(-abs(v))), lanes);
  });
}

void sigmoid_cross_entropy_gradient(const KernelArgs& args) {
  const float *x = args.in[0].as<float>(), *t = args.in[1].as<float>(), *dloss = args.in[2].as<float>();
  float* dx = args.out[0].as<float>();
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    store(dx + i, (sigmoid(load(x + i, lanes)) - load(t + i, lanes)) * load(dloss + i, lanes), lanes);
  });
}

}  // namespace fastcnn::FC_SIMD

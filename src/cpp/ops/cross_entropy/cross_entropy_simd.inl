// Computes   softmax and sigmoid cross-entropy from logits, and their gradients (the contract: cross_entropy.h).
// Layout     a row of logits is a run of elements; sigmoid's operands are one run altogether.
// Tile       one register a step; the logarithms of as many rows at once as a register holds.
// Why        no probabilities are stored: the forward pass reads a row twice (its maximum, its sum of exponentials),
//            while it is in the first-level cache, and keeps one number; the gradient makes the probabilities again
//            from that number in one pass. One exponential for each logit and pass dominates.
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

// The maximum of a row and the sum of e^(x - maximum).
FC_INLINE void row_sums(const float* x, std::int64_t n, float* m, float* sum) {
  if (n <= F32::width) {  // lanes beyond the row hold -inf
    const F32 v = select(first(n), load(x, n), set(-__builtin_inff()));
    *m = reduce_max(v);
    *sum = reduce_add(exp(v - set(*m)));
    return;
  }
  *m = max_row(x, n);
  const F32 largest = set(*m);
  *sum = sum_row(n, [&](std::int64_t i, auto lanes) { return exp(load(x + i, lanes) - largest); });
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
  const std::int64_t rows = args.out[0].shape().size();
  parallel_ranges(rows, round_up(max_i64(1, kTask / classes), F32::width), [&](std::int64_t begin, std::int64_t end) {
    // As many rows at once as a register holds logarithms.
    for (std::int64_t from = begin; from < end; from += F32::width) {
      const std::int64_t count = min_i64(F32::width, end - from);
      float m[F32::width], log_sum[F32::width];
      for (std::int64_t r = 0; r < count; ++r)
        row_sums(args.in[0].as<float>() + (from + r) * classes, classes, m + r, log_sum + r);
      const F32 logarithms = log(load(log_sum, count));
      store(log_sum, logarithms, count);
      store(lse + from, load(m, count) + logarithms, count);
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t row = from + r;
        const float* x = args.in[0].as<float>() + row * classes;
        if (p.shares) {
          const float* t = labels.as<float>() + row * classes;
          loss[row] = sum_row(classes, [&](std::int64_t i, auto lanes) {
            const F32 share = load(t + i, lanes), distance = set(log_sum[r]) - (load(x + i, lanes) - set(m[r]));
            return select(share == zero(), zero(), share * distance);
          });
        } else {
          const RowLabel l = row_label(p, labels, row, classes);
          loss[row] = l.ignored ? 0.0f : l.valid ? log_sum[r] - (x[l.label] - m[r]) : __builtin_nanf("");
        }
      }
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

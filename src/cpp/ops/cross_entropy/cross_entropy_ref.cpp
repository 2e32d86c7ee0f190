// The formulas of the contract in double precision, row by row.
#include <cmath>
#include <limits>

#include "ops/cross_entropy/cross_entropy.h"

namespace fastcnn::ref {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Normaliser {
  double m, log_sum;
};

Normaliser normaliser(const float* x, std::int64_t classes) {
  double m = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) m = x[k] > m ? x[k] : m;
  for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(x[k] - m);
  return {m, std::log(sum)};
}

}  // namespace

void softmax_cross_entropy(const KernelArgs& args) {
  const auto& p = args.problem.as<CrossEntropyParams>();
  const Tensor& labels = args.in[1];
  const std::int64_t classes = args.in[0].shape().back(), rows = args.out[0].shape().size();
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* x = args.in[0].as<float>() + row * classes;
    const Normaliser z = normaliser(x, classes);
    double loss = 0;
    if (p.shares) {
      const float* t = labels.as<float>() + row * classes;
      for (std::int64_t k = 0; k < classes; ++k)
        if (t[k] != 0) loss += t[k] * (z.log_sum - (x[k] - z.m));
    } else if (const RowLabel l = row_label(p, labels, row, classes); !l.ignored) {
      loss = l.valid ? z.log_sum - (x[l.label] - z.m) : kNaN;
    }
    args.out[0].as<float>()[row] = static_cast<float>(loss);
    args.out[1].as<float>()[row] = static_cast<float>(z.m + z.log_sum);
  }
}

void softmax_cross_entropy_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<CrossEntropyParams>();
  const Tensor& labels = args.in[1];
  const std::int64_t classes = args.in[0].shape().back(), rows = args.in[2].shape().size();
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* x = args.in[0].as<float>() + row * classes;
    float* dx = args.out[0].as<float>() + row * classes;
    const double lse = args.in[2].as<float>()[row], dloss = args.in[3].as<float>()[row];
    const float* t = p.shares ? labels.as<float>() + row * classes : nullptr;
    double total = 1;
    RowLabel l{-1, false, true};
    if (t) {
      total = 0;
      for (std::int64_t k = 0; k < classes; ++k) total += t[k];
    } else {
      l = row_label(p, labels, row, classes);
    }
    for (std::int64_t k = 0; k < classes; ++k) {
      const double share = t ? t[k] : k == l.label ? 1.0 : 0.0;
      const double g = (std::exp(x[k] - lse) * total - share) * dloss;
      dx[k] = static_cast<float>(l.ignored ? 0.0 : l.valid ? g : kNaN);
    }
  }
}

void sigmoid_cross_entropy(const KernelArgs& args) {
  const float *x = args.in[0].as<float>(), *t = args.in[1].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = x[i], larger = v > 0 || v != v ? v : 0.0;
    args.out[0].as<float>()[i] = static_cast<float>(larger - v * t[i] + std::log1p(std::exp(-std::fabs(v))));
  }
}

void sigmoid_cross_entropy_gradient(const KernelArgs& args) {
  const float *x = args.in[0].as<float>(), *t = args.in[1].as<float>(), *dloss = args.in[2].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i) {
    const double p = 1.0 / (1.0 + std::exp(-static_cast<double>(x[i])));
    args.out[0].as<float>()[i] = static_cast<float>((p - t[i]) * dloss[i]);
  }
}

}  // namespace fastcnn::ref

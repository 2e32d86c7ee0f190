#include <cmath>
#include <limits>

#include "ops/softmax/softmax.h"

namespace fastcnn::ref {
namespace {

// Calls finish(x_i - m, s) for every element, with m and s of its row.
template <class Finish>
void normalise(const KernelArgs& args, const Finish& finish) {
  const Shape& shape = args.in[0].shape();
  const int axis = args.problem.as<SoftmaxParams>().axis;
  const std::int64_t rows = shape.product(0, axis), n = shape[axis], step = shape.product(axis + 1, shape.rank);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t k = 0; k < step; ++k) {
      const float* x = args.in[0].as<float>() + row * n * step + k;
      float* y = args.out[0].as<float>() + row * n * step + k;
      double m = -std::numeric_limits<double>::infinity(), s = 0;
      for (std::int64_t i = 0; i < n; ++i) m = x[i * step] > m ? x[i * step] : m;
      for (std::int64_t i = 0; i < n; ++i) s += std::exp(x[i * step] - m);
      for (std::int64_t i = 0; i < n; ++i) y[i * step] = static_cast<float>(finish(x[i * step] - m, s));
    }
}

// Calls finish(y_i, dy_i, sum) for every element, with the sum of term(y_j, dy_j) over its row.
template <class Term, class Finish>
void gradient(const KernelArgs& args, const Term& term, const Finish& finish) {
  const Shape& shape = args.in[0].shape();
  const int axis = args.problem.as<SoftmaxParams>().axis;
  const std::int64_t rows = shape.product(0, axis), n = shape[axis], step = shape.product(axis + 1, shape.rank);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t k = 0; k < step; ++k) {
      const std::int64_t first = row * n * step + k;
      const float *y = args.in[0].as<float>() + first, *dy = args.in[1].as<float>() + first;
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += term(y[i * step], dy[i * step]);
      for (std::int64_t i = 0; i < n; ++i)
        args.out[0].as<float>()[first + i * step] = static_cast<float>(finish(y[i * step], dy[i * step], sum));
    }
}

}  // namespace

void softmax(const KernelArgs& args) {
  normalise(args, [](double d, double s) { return std::exp(d) / s; });
}

void log_softmax(const KernelArgs& args) {
  normalise(args, [](double d, double s) { return d - std::log(s); });
}

void softmax_gradient(const KernelArgs& args) {
  gradient(
      args, [](double y, double dy) { return y * dy; }, [](double y, double dy, double sum) { return y * (dy - sum); });
}

void log_softmax_gradient(const KernelArgs& args) {
  gradient(
      args, [](double, double dy) { return dy; },
      [](double y, double dy, double sum) { return dy - std::exp(y) * sum; });
}

}  // namespace fastcnn::ref

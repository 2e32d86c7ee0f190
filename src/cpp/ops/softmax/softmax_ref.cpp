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

}  // namespace

void softmax(const KernelArgs& args) {
  normalise(args, [](double d, double s) { return std::exp(d) / s; });
}

void log_softmax(const KernelArgs& args) {
  normalise(args, [](double d, double s) { return d - std::log(s); });
}

}  // namespace fastcnn::ref

// Plain loops in double, rounded once.
#include <algorithm>
#include <cmath>

#include "ops/norm/norm.h"

namespace fastcnn::ref {
namespace {

struct Affine {
  const float *gamma, *beta;
  template <class P>
  Affine(const P& p, const Tensor* in)
      : gamma(p.scale ? in[1].as<float>() : nullptr), beta(p.center ? in[1 + p.scale].template as<float>() : nullptr) {}
  float operator()(double normal, std::int64_t i) const {
    return static_cast<float>(normal * (gamma ? gamma[i] : 1.0) + (beta ? beta[i] : 0.0));
  }
};

// Normalises the cell of `pixels` x `channels` values whose rows are `pitch` apart; value (i, c) has the affine
// parameters of index affine_index(i, c).
template <class Index>
void normalise(const float* x, float* y, std::int64_t pixels, std::int64_t channels, std::int64_t pitch, double epsilon,
               const Affine& affine, const Index& affine_index) {
  const double count = static_cast<double>(pixels * channels);
  double mean = 0, var = 0;
  for (std::int64_t i = 0; i < pixels; ++i)
    for (std::int64_t c = 0; c < channels; ++c) mean += x[i * pitch + c] / count;
  for (std::int64_t i = 0; i < pixels; ++i)
    for (std::int64_t c = 0; c < channels; ++c) var += std::pow(x[i * pitch + c] - mean, 2) / count;
  for (std::int64_t i = 0; i < pixels; ++i)
    for (std::int64_t c = 0; c < channels; ++c)
      y[i * pitch + c] = affine((x[i * pitch + c] - mean) / std::sqrt(var + epsilon), affine_index(i, c));
}

}  // namespace

void group_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<GroupNormParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t channels = s.back(), pixels = s.product(1, s.rank - 1), width = channels / p.groups;
  const Affine affine(p, args.in);
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t g = 0; g < p.groups; ++g) {
      const std::int64_t first = n * pixels * channels + g * width;
      normalise(args.in[0].as<float>() + first, args.out[0].as<float>() + first, pixels, width, channels, p.epsilon,
                affine, [&](std::int64_t, std::int64_t c) { return g * width + c; });
    }
}

void layer_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<LayerNormParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t rows = s.product(0, s.rank - p.axes), n = s.product(s.rank - p.axes, s.rank);
  const Affine affine(p, args.in);
  for (std::int64_t row = 0; row < rows; ++row)
    normalise(args.in[0].as<float>() + row * n, args.out[0].as<float>() + row * n, 1, n, n, p.epsilon, affine,
              [](std::int64_t, std::int64_t c) { return c; });
}

void l2_normalize(const KernelArgs& args) {
  const auto& p = args.problem.as<L2NormalizeParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t rows = s.product(0, p.first), n = s.product(p.first, p.last + 1),
                     step = s.product(p.last + 1, s.rank);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t k = 0; k < step; ++k) {
      const float* x = args.in[0].as<float>() + row * n * step + k;
      float* y = args.out[0].as<float>() + row * n * step + k;
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i * step]) * x[i * step];
      const double length = std::sqrt(sum < p.epsilon ? p.epsilon : sum);
      for (std::int64_t i = 0; i < n; ++i) y[i * step] = static_cast<float>(x[i * step] / length);
    }
}

void lrn(const KernelArgs& args) {
  const auto& p = args.problem.as<LrnParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t channels = s.back(), pixels = s.product(0, s.rank - 1), half = p.size / 2;
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float* x = args.in[0].as<float>() + i * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t k = std::max<std::int64_t>(0, c - half); k <= std::min(channels - 1, c + half); ++k)
        sum += static_cast<double>(x[k]) * x[k];
      args.out[0].as<float>()[i * channels + c] =
          static_cast<float>(x[c] / std::pow(p.bias + p.alpha / static_cast<double>(p.size) * sum, p.beta));
    }
  }
}

void lrn_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<LrnParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t channels = s.back(), pixels = s.product(0, s.rank - 1), half = p.size / 2;
  const double gain = p.alpha / static_cast<double>(p.size);
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float *x = args.in[0].as<float>() + i * channels, *dy = args.in[1].as<float>() + i * channels;
    // The sum of f over the channels around c.
    const auto around = [&](std::int64_t c, const auto& f) {
      double sum = 0;
      for (std::int64_t k = std::max<std::int64_t>(0, c - half); k <= std::min(channels - 1, c + half); ++k)
        sum += f(k);
      return sum;
    };
    const auto base = [&](std::int64_t c) {
      return p.bias + gain * around(c, [&](std::int64_t k) { return static_cast<double>(x[k]) * x[k]; });
    };
    for (std::int64_t c = 0; c < channels; ++c) {
      const double t = around(
          c, [&](std::int64_t k) { return static_cast<double>(dy[k]) * x[k] * std::pow(base(k), -p.beta - 1.0); });
      args.out[0].as<float>()[i * channels + c] =
          static_cast<float>(dy[c] * std::pow(base(c), -static_cast<double>(p.beta)) - 2 * gain * p.beta * x[c] * t);
    }
  }
}

}  // namespace fastcnn::ref

// The contract element by element; the normal distribution in double precision, rounded once.
#include <cmath>

#include "ops/random/random.h"

namespace fastcnn::ref {
namespace {

// f(i, bits): `bits` holds those of the elements 4 i .. 4 i + 3, whole numbers below 2^24.
template <class F>
void each_four(std::int64_t n, const RandomKey& key, const F& f) {
  for (std::int64_t i = 0; 4 * i < n; ++i) {
    std::uint32_t words[4];
    philox(key, static_cast<std::uint32_t>(i), words);
    float bits[4];
    for (int k = 0; k < 4; ++k) bits[k] = static_cast<float>(words[k] >> 8);
    f(4 * i, bits);
  }
}

}  // namespace

void dropout(const KernelArgs& args) {
  const auto& p = args.problem.as<DropoutParams>();
  const std::int64_t n = args.out[0].shape().size();
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  each_four(n, random_key(p.source, args.in[1]), [&](std::int64_t i, const float* bits) {
    for (int k = 0; k < 4 && i + k < n; ++k) y[i + k] = bits[k] >= p.threshold ? x[i + k] * p.scale : 0.0f;
  });
}

void random_uniform(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomUniformParams>();
  const std::int64_t n = p.shape.size();
  float* y = args.out[0].as<float>();
  each_four(n, random_key(p.source, args.in[0]), [&](std::int64_t i, const float* bits) {
    for (int k = 0; k < 4 && i + k < n; ++k) {
      const float v = p.low + p.range * (bits[k] * 0x1p-24f);
      y[i + k] = v < p.last ? v : p.last;
    }
  });
}

void random_normal(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomNormalParams>();
  const std::int64_t n = p.shape.size();
  float* y = args.out[0].as<float>();
  each_four(n, random_key(p.source, args.in[0]), [&](std::int64_t i, const float* bits) {
    for (int k = 0; k < 4 && i + k < n; ++k) {
      const double radius = std::sqrt(-2.0 * std::log((bits[k & 2] + 1.0) * 0x1p-24));
      const double angle = 6.283185307179586 * (bits[(k & 2) + 1] * 0x1p-24);
      y[i + k] = static_cast<float>(p.mean + p.stddev * radius * ((k & 1) != 0 ? std::sin(angle) : std::cos(angle)));
    }
  });
}

}  // namespace fastcnn::ref

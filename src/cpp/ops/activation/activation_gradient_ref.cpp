// The slopes of the contract in double precision, the product with dy rounded once.
#include <cmath>

#include "ops/activation/activation.h"

namespace fastcnn::ref {
namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// act'(x), v being the result, or the operand where gradient_reads_result is false.
double slope(Activation kind, double v, double alpha) {
  switch (kind) {
    case Activation::Linear: return 1.0;
    case Activation::Relu: return v <= 0 ? 0.0 : 1.0;
    case Activation::Relu6: return v <= 0 || v >= 6 ? 0.0 : 1.0;
    case Activation::LeakyRelu: return v <= 0 ? alpha : 1.0;
    case Activation::Elu: return v > 0 || v != v ? 1.0 : alpha < 0 ? alpha * std::exp(v) : v + alpha;
    case Activation::Sigmoid: return v * (1.0 - v);
    case Activation::HardSigmoid: return v <= 0 || v >= 1 ? 0.0 : 1.0 / 6.0;
    case Activation::Tanh: return (1.0 - v) * (1.0 + v);
    case Activation::Silu: return sigmoid(v) * (1.0 + v * sigmoid(-v));
    case Activation::HardSwish: return v <= -3 ? 0.0 : v >= 3 ? 1.0 : v / 3.0 + 0.5;
  }
  return 1.0;
}

double slope(const UnaryParams& p, double x) {
  constexpr double kSqrtHalf = 0.70710678118654752440, kSqrt2OverPi = 0.79788456080286535588,
                   kDensity = 0.39894228040143267794;
  switch (p.kind) {
    case Unary::Exp: return std::exp(x);
    case Unary::Log: return 1.0 / x;
    case Unary::Sqrt: return 0.5 / std::sqrt(x);
    case Unary::Rsqrt: return -0.5 / (x * std::sqrt(x));
    case Unary::Square: return 2.0 * x;
    case Unary::Abs: return x == 0 ? 0.0 : std::copysign(1.0, x);
    case Unary::Negative: return -1.0;
    case Unary::Reciprocal: return -1.0 / (x * x);
    case Unary::Clip: return x < p.lo || x > p.hi ? 0.0 : 1.0;
    case Unary::Softplus: return sigmoid(x);
    case Unary::Gelu: return 0.5 * std::erfc(-x * kSqrtHalf) + x * kDensity * std::exp(-0.5 * x * x);
    case Unary::GeluTanh: {
      const double s = sigmoid(2.0 * kSqrt2OverPi * (x + 0.044715 * x * x * x));
      return s + x * s * (1.0 - s) * 2.0 * kSqrt2OverPi * (1.0 + 3.0 * 0.044715 * x * x);
    }
    case Unary::Mish: {
      const double w = std::exp(x < 20.0 ? x : 20.0), v = w * (w + 2.0);
      return v / (v + 2.0) + x * 4.0 * w * (w + 1.0) / ((v + 2.0) * (v + 2.0));
    }
    case Unary::ThresholdedRelu: return x <= p.lo ? p.hi : 1.0;
    case Unary::Floor:
    case Unary::Ceil:
    case Unary::Round:
    case Unary::Sign: return 0.0;
    case Unary::Sin: return std::cos(x);
    case Unary::Cos: return -std::sin(x);
    case Unary::Tan: return 1.0 / (std::cos(x) * std::cos(x));
    case Unary::Arcsin: return 1.0 / std::sqrt((1.0 - x) * (1.0 + x));
    case Unary::Arccos: return -1.0 / std::sqrt((1.0 - x) * (1.0 + x));
    case Unary::Arctan: return 1.0 / (1.0 + x * x);
    case Unary::Sinh: return std::cosh(x);
    case Unary::Cosh: return std::sinh(x);
    case Unary::Arcsinh: return 1.0 / std::sqrt(x * x + 1.0);
    case Unary::Arccosh: return 1.0 / std::sqrt((x - 1.0) * (x + 1.0));
    case Unary::Arctanh: return 1.0 / ((1.0 - x) * (1.0 + x));
    case Unary::Erf: return 1.12837916709551257390 * std::exp(-x * x);
  }
  return 1.0;
}

// `cuts`: a slope of zero is no factor but ends an infinite or NaN dy too.
template <class F>
void map(const KernelArgs& args, bool cuts, const F& f) {
  const float *v = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dx = args.out[0].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i) {
    const double s = f(static_cast<double>(v[i]));
    dx[i] = cuts && s == 0 ? 0.0f : static_cast<float>(static_cast<double>(dy[i]) * s);
  }
}

}  // namespace

void activation_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ActivationParams>();
  const bool cuts = p.kind == Activation::Relu || p.kind == Activation::Relu6 || p.kind == Activation::HardSigmoid ||
                    p.kind == Activation::HardSwish;
  map(args, cuts, [&](double v) { return slope(p.kind, v, p.alpha); });
}

void unary_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  map(args, p.kind == Unary::Abs || p.kind == Unary::Clip, [&](double x) { return slope(p, x); });
}

}  // namespace fastcnn::ref

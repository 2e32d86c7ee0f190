// The formulas of the contract in double precision, rounded once.
#include <algorithm>
#include <cmath>

#include "ops/activation/activation.h"

namespace fastcnn::ref {
namespace {

// NaN fails every comparison and so passes through.
double clamp(double x, double lo, double hi) {
  if (x < lo) x = lo;
  if (x > hi) x = hi;
  return x;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double hard_sigmoid(double x) { return clamp(x + 3.0, 0.0, 6.0) / 6.0; }
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double evaluate(Activation kind, double x, double alpha) {
  switch (kind) {
    case Activation::Linear: return x;
    case Activation::Relu: return x < 0 ? 0.0 : x;
    case Activation::Relu6: return clamp(x, 0.0, 6.0);
    case Activation::LeakyRelu: return x < 0 ? alpha * x : x;
    case Activation::Elu: return x < 0 ? alpha * std::expm1(x) : x;
    case Activation::Sigmoid: return sigmoid(x);
    case Activation::HardSigmoid: return hard_sigmoid(x);
    case Activation::Tanh: return std::tanh(x);
    case Activation::Silu: return x * sigmoid(x);
    case Activation::HardSwish: return x * hard_sigmoid(x);
  }
  return x;
}

double evaluate(const UnaryParams& p, double x) {
  constexpr double kSqrtHalf = 0.70710678118654752440, kSqrt2OverPi = 0.79788456080286535588;
  switch (p.kind) {
    case Unary::Exp: return std::exp(x);
    case Unary::Log: return std::log(x);
    case Unary::Sqrt: return std::sqrt(x);
    case Unary::Rsqrt: return 1.0 / std::sqrt(x);
    case Unary::Square: return x * x;
    case Unary::Abs: return std::fabs(x);
    case Unary::Negative: return -x;
    case Unary::Reciprocal: return 1.0 / x;
    case Unary::Clip: return clamp(x, p.lo, p.hi);
    case Unary::Softplus: return softplus(x);
    case Unary::Gelu: return x * 0.5 * std::erfc(-x * kSqrtHalf);
    case Unary::GeluTanh: return x * sigmoid(2.0 * kSqrt2OverPi * (x + 0.044715 * x * x * x));
    case Unary::Mish: return x * std::tanh(softplus(x));
    case Unary::ThresholdedRelu: return x < p.lo ? p.hi * (x - p.lo) : x;
    case Unary::Floor: return std::floor(x);
    case Unary::Ceil: return std::ceil(x);
    case Unary::Round: return std::nearbyint(x);
    case Unary::Sign: return x > 0 ? 1.0 : x < 0 ? -1.0 : x;
    case Unary::Sin: return std::sin(x);
    case Unary::Cos: return std::cos(x);
    case Unary::Tan: return std::tan(x);
    case Unary::Arcsin: return std::asin(x);
    case Unary::Arccos: return std::acos(x);
    case Unary::Arctan: return std::atan(x);
    case Unary::Sinh: return std::sinh(x);
    case Unary::Cosh: return std::cosh(x);
    case Unary::Arcsinh: return std::asinh(x);
    case Unary::Arccosh: return std::acosh(x);
    case Unary::Arctanh: return std::atanh(x);
    case Unary::Erf: return std::erf(x);
  }
  return x;
}

template <class F>
void map(const KernelArgs& args, const F& f) {
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  parallel_ranges(n, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
  });
}

}  // namespace

float activate(Activation kind, float x, float alpha) { return static_cast<float>(evaluate(kind, x, alpha)); }

void activation(const KernelArgs& args) {
  const auto& p = args.problem.as<ActivationParams>();
  map(args, [&](float x) { return activate(p.kind, x, p.alpha); });
}

void unary(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  map(args, [&](float x) { return static_cast<float>(evaluate(p, x)); });
}

}  // namespace fastcnn::ref

// Element-wise functions of one operand (the contract: ops/activation/activation.h).
#include "ops/activation/activation.h"

#include "core/elementwise.cuh"
#include "core/scalar.cuh"
#include "core/trigonometry.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

using namespace scalar;

constexpr const char *kActivation = "activation_f32_cuda", *kUnary = "unary_f32_cuda";

template <class F>
__device__ __forceinline__ void each(Four<float>& v, const F& f) {
#pragma unroll
  for (int i = 0; i < kGroup; ++i) v.at[i] = f(v.at[i]);
}

// Computes   y = act(x).
// Layout     one run of elements.
// Threads    each_group's; 32 registers.
// Why        the kind is the same for a whole launch: a switch inside the kernel, outside of the group's loop.
// Bound      memory.
// Accuracy   simd/math.inl names it for each function.
struct Activate {
  const float* x;
  float* y;
  ActivationParams p;

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = load(x, g);
    with_activation(p.kind, [&](auto k) { each(v, [&](float a) { return activate<decltype(k)::kind>(a, p.alpha); }); });
    store(y, g, v);
  }
};

// Computes   y = f(x), the functions that networks spend time in (has_vectors). As Activate; 32 registers.
struct Evaluate {
  const float* x;
  float* y;
  UnaryParams p;

  __device__ __forceinline__ void evaluate(Four<float>& v) const {
    switch (p.kind) {
      case Unary::Exp: return each(v, [](float a) { return exp(a); });
      case Unary::Log: return each(v, [](float a) { return log(a); });
      case Unary::Sqrt: return each(v, [](float a) { return sqrt(a); });
      case Unary::Rsqrt: return each(v, [](float a) { return 1.0f / sqrt(a); });
      case Unary::Square: return each(v, [](float a) { return a * a; });
      case Unary::Abs: return each(v, [](float a) { return abs(a); });
      case Unary::Negative: return each(v, [](float a) { return -a; });
      case Unary::Reciprocal: return each(v, [](float a) { return 1.0f / a; });
      case Unary::Clip: return each(v, [&](float a) { return min(p.hi, max(p.lo, a)); });
      case Unary::Softplus: return each(v, [](float a) { return softplus(a); });
      case Unary::Gelu: return each(v, [](float a) { return gelu(a); });
      case Unary::GeluTanh: return each(v, [](float a) { return gelu_tanh(a); });
      case Unary::Mish: return each(v, [](float a) { return mish(a); });
      case Unary::ThresholdedRelu: return each(v, [&](float a) { return a < p.lo ? p.hi * (a - p.lo) : a; });
      case Unary::Floor: return each(v, [](float a) { return floor(a); });
      case Unary::Ceil: return each(v, [](float a) { return -floor(-a); });
      case Unary::Round: return each(v, [](float a) { return round(a); });
      default: return;
    }
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = load(x, g);
    evaluate(v);
    store(y, g, v);
  }
};

// Computes   y = f(x), the other functions: in double, rounded once.
// Threads    each_group's; 36 registers.
// Why        apart from Evaluate, whose code they would multiply; no network spends its time in them.
// Bound      the device's double units.
// Accuracy   one rounding.
struct EvaluateInDouble {
  const float* x;
  float* y;
  Unary kind;

  __device__ __forceinline__ double evaluate(float v) const {
    const auto a = static_cast<double>(v);
    switch (kind) {
      case Unary::Sign: return a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a;
      case Unary::Sin: return sin_cos(v).sine;
      case Unary::Cos: return sin_cos(v).cosine;
      case Unary::Tan: {
        const SinCos of = sin_cos(v);
        return of.sine / of.cosine;
      }
      case Unary::Arcsin: return ::asin(a);
      case Unary::Arccos: return ::acos(a);
      case Unary::Arctan: return ::atan(a);
      case Unary::Sinh: return ::sinh(a);
      case Unary::Cosh: return ::cosh(a);
      case Unary::Arcsinh: return ::asinh(a);
      case Unary::Arccosh: return ::acosh(a);
      case Unary::Arctanh: return ::atanh(a);
      case Unary::Erf: return ::erf(a);
      default: return a;
    }
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = load(x, g);
#pragma unroll 1
    for (int i = 0; i < kGroup; ++i) rotate(v, static_cast<float>(evaluate(v.at[0])));
    store(y, g, v);
  }
};

void activation(const KernelArgs& args) {
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  run_groups(kActivation, args, args.out[0].shape().size(), Activate{x, y, args.problem.as<ActivationParams>()},
             {x, y});
}

void unary(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  if (has_vectors(p.kind))
    run_groups(kUnary, args, n, Evaluate{x, y, p}, {x, y});
  else
    run_groups(kUnary, args, n, EvaluateInDouble{x, y, p.kind}, {x, y});
}

constexpr KernelInfo kActivationRows[] = {{.name = kActivation, .device = Device::Cuda, .run = activation}};
constexpr KernelInfo kUnaryRows[] = {{.name = kUnary, .device = Device::Cuda, .run = unary}};
constexpr OpRows kRows[] = {{"activation", kActivationRows}, {"unary", kUnaryRows}};

}  // namespace

std::span<const OpRows> activation_rows() { return kRows; }

}  // namespace fastcnn::cuda

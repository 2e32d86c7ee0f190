// Slopes of element-wise functions, times what comes from above (the contract: ops/activation/activation.h).
#include "ops/activation/activation.h"

#include "core/elementwise.cuh"
#include "core/scalar.cuh"
#include "core/trigonometry.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

using namespace scalar;

constexpr const char *kActivation = "activation_gradient_f32_cuda", *kUnary = "unary_gradient_f32_cuda";

template <class F>
__device__ __forceinline__ void each(const Four<float>& v, Four<float>& dy, const F& f) {
#pragma unroll
  for (int i = 0; i < kGroup; ++i) dy.at[i] = f(v.at[i], dy.at[i]);
}

// Computes   dx = dy act'(v).
// Layout     one run of elements.
// Threads    each_group's; 40 registers.
// Why        the kind is the same for a whole launch: a switch inside the kernel, outside of the group's loop.
// Bound      memory.
// Accuracy   a few roundings of each term of the slope beside those of simd/math.inl.
struct ActivationSlope {
  const float *v, *dy;
  float* dx;
  ActivationParams p;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<float> at = load(v, g);
    Four<float> r = load(dy, g);
    with_activation(p.kind, [&](auto k) {
      each(at, r, [&](float a, float d) { return slope_times<decltype(k)::kind>(a, d, p.alpha); });
    });
    store(dx, g, r);
  }
};

// Computes   dx = dy f'(x), the functions that networks spend time in (gradient_has_vectors). As ActivationSlope.
struct UnarySlope {
  const float *v, *dy;
  float* dx;
  UnaryParams p;

  __device__ __forceinline__ void evaluate(const Four<float>& v, Four<float>& r) const {
    switch (p.kind) {
      case Unary::Exp: return each(v, r, [](float a, float d) { return d * exp(a); });
      case Unary::Log: return each(v, r, [](float a, float d) { return d / a; });
      case Unary::Sqrt: return each(v, r, [](float a, float d) { return d * 0.5f / sqrt(a); });
      case Unary::Rsqrt: return each(v, r, [](float a, float d) { return d * -0.5f / (a * sqrt(a)); });
      case Unary::Square: return each(v, r, [](float a, float d) { return d * (a + a); });
      case Unary::Abs: return each(v, r, [](float a, float d) { return a == 0.0f ? 0.0f : d * copysign(1.0f, a); });
      case Unary::Negative: return each(v, r, [](float, float d) { return -d; });
      case Unary::Reciprocal: return each(v, r, [](float a, float d) { return -d / (a * a); });
      case Unary::Clip: return each(v, r, [&](float a, float d) { return a < p.lo || a > p.hi ? 0.0f : d; });
      case Unary::Softplus: return each(v, r, [](float a, float d) { return d * sigmoid(a); });
      case Unary::Gelu: return each(v, r, [](float a, float d) { return d * gelu_slope(a); });
      case Unary::GeluTanh: return each(v, r, [](float a, float d) { return d * gelu_tanh_slope(a); });
      case Unary::Mish: return each(v, r, [](float a, float d) { return d * mish_slope(a); });
      case Unary::ThresholdedRelu: return each(v, r, [&](float a, float d) { return a <= p.lo ? p.hi * d : d; });
      default: return;
    }
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> r = load(dy, g);
    evaluate(load(v, g), r);
    store(dx, g, r);
  }
};

// Computes   dx = dy f'(x), the other functions: in double, rounded once.
// Threads    each_group's; 40 registers.
// Why        apart from UnarySlope, whose code they would multiply; no network spends its time in them.
// Bound      the device's double units.
// Accuracy   one rounding.
struct UnarySlopeInDouble {
  const float *v, *dy;
  float* dx;
  Unary kind;

  __device__ __forceinline__ double slope(float v) const {
    const auto a = static_cast<double>(v);
    switch (kind) {
      case Unary::Sin: return sin_cos(v).cosine;
      case Unary::Cos: return -sin_cos(v).sine;
      case Unary::Tan: {
        const double cosine = sin_cos(v).cosine;
        return 1.0 / (cosine * cosine);
      }
      case Unary::Arcsin: return 1.0 / ::sqrt((1.0 - a) * (1.0 + a));
      case Unary::Arccos: return -1.0 / ::sqrt((1.0 - a) * (1.0 + a));
      case Unary::Arctan: return 1.0 / (1.0 + a * a);
      case Unary::Sinh: return ::cosh(a);
      case Unary::Cosh: return ::sinh(a);
      case Unary::Arcsinh: return 1.0 / ::sqrt(a * a + 1.0);
      case Unary::Arccosh: return 1.0 / ::sqrt((a - 1.0) * (a + 1.0));
      case Unary::Arctanh: return 1.0 / ((1.0 - a) * (1.0 + a));
      case Unary::Erf: return 1.12837916709551257390 * ::exp(-a * a);
      default: return 0.0;  // floor, ceil, round, sign
    }
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> at = load(v, g), r = load(dy, g);
#pragma unroll 1
    for (int i = 0; i < kGroup; ++i) {
      const double product = static_cast<double>(r.at[0]) * slope(at.at[0]);
      rotate(at, at.at[0]);
      rotate(r, static_cast<float>(product));
    }
    store(dx, g, r);
  }
};

void activation_gradient(const KernelArgs& args) {
  const float *v = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dx = args.out[0].as<float>();
  run_groups(kActivation, args, args.out[0].shape().size(),
             ActivationSlope{v, dy, dx, args.problem.as<ActivationParams>()}, {v, dy, dx});
}

void unary_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  const float *x = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dx = args.out[0].as<float>();
  const std::int64_t n = args.out[0].shape().size();
  if (gradient_has_vectors(p.kind))
    run_groups(kUnary, args, n, UnarySlope{x, dy, dx, p}, {x, dy, dx});
  else
    run_groups(kUnary, args, n, UnarySlopeInDouble{x, dy, dx, p.kind}, {x, dy, dx});
}

constexpr KernelInfo kActivationRows[] = {{.name = kActivation, .device = Device::Cuda, .run = activation_gradient}};
constexpr KernelInfo kUnaryRows[] = {{.name = kUnary, .device = Device::Cuda, .run = unary_gradient}};
constexpr OpRows kRows[] = {{"activation_gradient", kActivationRows}, {"unary_gradient", kUnaryRows}};

}  // namespace

std::span<const OpRows> activation_gradient_rows() { return kRows; }

}  // namespace fastcnn::cuda

// Element-wise functions of two operands (the contract: ops/binary/binary.h).
#include "core/elementwise.cuh"
#include "core/scalar.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

enum class Kind {
  Add,
  Sub,
  Mul,
  Div,
  Maximum,
  Minimum,
  Prelu,
  Equal,
  NotEqual,
  Greater,
  GreaterEqual,
  Less,
  LessEqual,
  Pow,
  Mod,
  Fmod
};

template <class F>
__device__ __forceinline__ void combine(Four<float>& a, const Four<float>& b, const F& f) {
#pragma unroll
  for (int i = 0; i < kGroup; ++i) a.at[i] = f(a.at[i], b.at[i]);
}

__device__ __forceinline__ float mod(float a, float b) {
  const float left = fmodf(a, b);
  if (left == 0.0f) return copysignf(0.0f, b);
  return (left < 0.0f) != (b < 0.0f) ? left + b : left;
}

// Of operations that cost less than their operands' way through memory.
__device__ __forceinline__ void evaluate(Kind kind, Four<float>& a, const Four<float>& b) {
  switch (kind) {
    case Kind::Add: return combine(a, b, [](float x, float y) { return x + y; });
    case Kind::Sub: return combine(a, b, [](float x, float y) { return x - y; });
    case Kind::Mul: return combine(a, b, [](float x, float y) { return x * y; });
    case Kind::Div: return combine(a, b, [](float x, float y) { return x / y; });
    case Kind::Maximum: return combine(a, b, [](float x, float y) { return scalar::max_nan(x, y); });
    case Kind::Minimum: return combine(a, b, [](float x, float y) { return scalar::min_nan(x, y); });
    case Kind::Prelu: return combine(a, b, [](float x, float y) { return x < 0.0f ? y * x : x; });
    case Kind::Equal: return combine(a, b, [](float x, float y) { return x == y ? 1.0f : 0.0f; });
    case Kind::NotEqual: return combine(a, b, [](float x, float y) { return x != y ? 1.0f : 0.0f; });
    case Kind::Greater: return combine(a, b, [](float x, float y) { return x > y ? 1.0f : 0.0f; });
    case Kind::GreaterEqual: return combine(a, b, [](float x, float y) { return x >= y ? 1.0f : 0.0f; });
    case Kind::Less: return combine(a, b, [](float x, float y) { return x < y ? 1.0f : 0.0f; });
    case Kind::LessEqual: return combine(a, b, [](float x, float y) { return x <= y ? 1.0f : 0.0f; });
    default: return;
  }
}

struct Operands {
  const float *a, *b;
  float* y;
  Walk<2> walk;

  explicit Operands(const KernelArgs& args)
      : a(args.in[0].as<float>()),
        b(args.in[1].as<float>()),
        y(args.out[0].as<float>()),
        walk({&args.in[0].shape(), &args.in[1].shape()}, args.out[0].shape()) {}

  template <class F>
  __device__ __forceinline__ void each(const Group& g, const F& f) const {
    const Positions<2> places = walk.places(g);
    Four<float> v = load<0>(a, g, walk, places);
    f(v, load<1>(b, g, walk, places));
    store(y, g, v);
  }
};

// Computes   y = act(a op b), prelu, comparisons, with broadcasting.
// Layout     operands of any shapes as the merged loop nest of binary.h.
// Threads    each_group's; an operand that repeats along the innermost axis is one load for four results. 50 registers.
// Why        the operation and the activation are the same for a whole launch, so switches inside the kernel cost a
//            few instructions beside two loads and a store, and there is one kernel instead of 130.
// Bound      memory; where the innermost axis is no multiple of four, the divisions that find an element's coordinates.
// Accuracy   one rounding, then the activation (simd/math.inl).
struct Cheap {
  Operands operands;
  Kind kind;
  Activation activation;
  float alpha;

  __device__ __forceinline__ void operator()(const Group& g) const {
    operands.each(g, [&](Four<float>& a, const Four<float>& b) {
      evaluate(kind, a, b);
      scalar::with_activation(activation, [&](auto k) {
#pragma unroll
        for (int i = 0; i < kGroup; ++i) a.at[i] = scalar::activate<decltype(k)::kind>(a.at[i], alpha);
      });
    });
  }
};

// Computes   pow, mod, fmod, as Cheap. pow in double, rounded once; the remainders are exact.
// Bound      arithmetic: a loop of subtractions for remainders of far apart numbers, the device's double units for pow.
template <Kind kind>
struct Costly {
  Operands operands;

  __device__ __forceinline__ void operator()(const Group& g) const {
    operands.each(g, [&](Four<float>& a, const Four<float>& b) {
      combine(a, b, [](float x, float y) {
        if constexpr (kind == Kind::Pow)
          return static_cast<float>(::pow(static_cast<double>(x), static_cast<double>(y)));
        else if constexpr (kind == Kind::Mod)
          return mod(x, y);
        else
          return fmodf(x, y);
      });
    });
  }
};

template <Kind kind>
struct Row {
  static constexpr const char* name() {
    switch (kind) {
      case Kind::Add: return "add_f32_cuda";
      case Kind::Sub: return "sub_f32_cuda";
      case Kind::Mul: return "mul_f32_cuda";
      case Kind::Div: return "div_f32_cuda";
      case Kind::Maximum: return "maximum_f32_cuda";
      case Kind::Minimum: return "minimum_f32_cuda";
      case Kind::Prelu: return "prelu_f32_cuda";
      case Kind::Equal: return "equal_f32_cuda";
      case Kind::NotEqual: return "not_equal_f32_cuda";
      case Kind::Greater: return "greater_f32_cuda";
      case Kind::GreaterEqual: return "greater_equal_f32_cuda";
      case Kind::Less: return "less_f32_cuda";
      case Kind::LessEqual: return "less_equal_f32_cuda";
      case Kind::Pow: return "pow_f32_cuda";
      case Kind::Mod: return "mod_f32_cuda";
      case Kind::Fmod: return "fmod_f32_cuda";
    }
    return nullptr;
  }

  static void run(const KernelArgs& args) {
    const Operands o(args);
    const std::int64_t n = args.out[0].shape().size();
    const std::initializer_list<const void*> pointers = {o.a, o.b, o.y};
    if constexpr (kind < Kind::Pow) {
      const Epilogue& e = args.problem.as<BinaryParams>().epilogue;
      run_groups(name(), args, n, Cheap{o, kind, e.activation, e.alpha}, pointers);
    } else {
      run_groups(name(), args, n, Costly<kind>{o}, pointers);
    }
  }

  static constexpr KernelInfo kRows[] = {{.name = name(), .device = Device::Cuda, .run = run}};
};

constexpr OpRows kRows[] = {
    {"add", Row<Kind::Add>::kRows},
    {"sub", Row<Kind::Sub>::kRows},
    {"mul", Row<Kind::Mul>::kRows},
    {"div", Row<Kind::Div>::kRows},
    {"maximum", Row<Kind::Maximum>::kRows},
    {"minimum", Row<Kind::Minimum>::kRows},
    {"prelu", Row<Kind::Prelu>::kRows},
    {"equal", Row<Kind::Equal>::kRows},
    {"not_equal", Row<Kind::NotEqual>::kRows},
    {"greater", Row<Kind::Greater>::kRows},
    {"greater_equal", Row<Kind::GreaterEqual>::kRows},
    {"less", Row<Kind::Less>::kRows},
    {"less_equal", Row<Kind::LessEqual>::kRows},
    {"pow", Row<Kind::Pow>::kRows},
    {"mod", Row<Kind::Mod>::kRows},
    {"fmod", Row<Kind::Fmod>::kRows},
};

}  // namespace

std::span<const OpRows> binary_rows() { return kRows; }

}  // namespace fastcnn::cuda

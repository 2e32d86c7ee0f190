// Computes   activation, unary (the contract: activation.h).
// Layout     any shape, as one run of elements.
// Tile       two registers a step: the polynomials of simd/math.inl are chains of 6 to 10 multiply-adds with a few
//            temporaries each, and two of them in flight fill the pipeline of AVX2's 16 registers without spilling.
// Why        the cheap kinds are bound by memory, the others by arithmetic; neither gains from a wider step.
// Needs      nothing: the tail is a masked load.
// Accuracy   simd/math.inl names it for each function; relu, relu6, clip, abs, negative and square are exact or rounded
//            once, as the reference's.
#include "ops/activation/activation.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

template <class Item = float, class F>
FC_INLINE void map(const KernelArgs& args, const F& f) {
  const Item* x = args.in[0].as<Item>();
  Item* y = args.out[0].as<Item>();
  constexpr std::int64_t kTask = 16384;  // elements; a multiple of every step
  parallel_ranges(args.out[0].shape().size(), kTask, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    for (; i + 2 * F32::width <= end; i += 2 * F32::width) {
      const F32 a = f(load(x + i)), b = f(load(x + i + F32::width));
      store(y + i, a);
      store(y + i + F32::width, b);
    }
    for (; i < end; i += F32::width) store(y + i, f(load(x + i, end - i)), end - i);
  });
}

}  // namespace

void activation(const KernelArgs& args) {
  const auto& p = args.problem.as<ActivationParams>();
  with_storage(args.in[0].type.dtype, [&](auto item) {
    with_activation(p.kind, [&](auto k) {
      map<decltype(item)>(args, [&](F32 x) { return activate<decltype(k)::kind>(x, p.alpha); });
    });
  });
}

void unary(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  switch (p.kind) {
    case Unary::Exp: return map(args, [](F32 x) { return exp(x); });
    case Unary::Log: return map(args, [](F32 x) { return log(x); });
    case Unary::Sqrt: return map(args, [](F32 x) { return sqrt(x); });
    case Unary::Rsqrt: return map(args, [](F32 x) { return set(1.0f) / sqrt(x); });
    case Unary::Square: return map(args, [](F32 x) { return x * x; });
    case Unary::Abs: return map(args, [](F32 x) { return abs(x); });
    case Unary::Negative: return map(args, [](F32 x) { return -x; });
    case Unary::Reciprocal: return map(args, [](F32 x) { return set(1.0f) / x; });
    case Unary::Clip: return map(args, [&](F32 x) { return min(set(p.hi), max(set(p.lo), x)); });
    case Unary::Softplus: return map(args, [](F32 x) { return softplus(x); });
    case Unary::Gelu: return map(args, [](F32 x) { return gelu(x); });
    case Unary::GeluTanh: return map(args, [](F32 x) { return gelu_tanh(x); });
    case Unary::Mish: return map(args, [](F32 x) { return mish(x); });
    case Unary::ThresholdedRelu:
      return map(args, [&](F32 x) { return select(x < set(p.lo), set(p.hi) * (x - set(p.lo)), x); });
    case Unary::Floor: return map(args, [](F32 x) { return floor(x); });
    case Unary::Ceil: return map(args, [](F32 x) { return -floor(-x); });
    case Unary::Round: return map(args, [](F32 x) { return round(x); });
    default: return;  // declined: has_vectors
  }
}

}  // namespace fastcnn::FC_SIMD

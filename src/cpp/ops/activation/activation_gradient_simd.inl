// Computes   activation_gradient, unary_gradient (the contract: activation.h).
// Layout     any shape, as one run of elements; the result may lie over the first operand.
// Tile       one register a step.
// Why        the kinds that follow from the result are bound by memory (two loads, one store); the others spend most on
//            one exponential, and neighbouring steps do not depend on one another.
// Needs      nothing: the tail is a masked load.
// Accuracy   a few roundings of each term of the slope beside those of simd/math.inl.
#include "ops/activation/activation_slope.inl"
#include "simd/math.inl"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {
namespace {

template <class Item = float, class F>
FC_INLINE void map(const KernelArgs& args, const F& f) {
  const Item *v = args.in[0].as<Item>(), *dy = args.in[1].as<Item>();
  Item* dx = args.out[0].as<Item>();
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    store(dx + i, f(load(v + i, lanes), load(dy + i, lanes)), lanes);
  });
}

// x phi(x) + Phi(x), phi the normal density.
FC_INLINE F32 gelu_slope(F32 x) {
  const F32 density = set(0.3989422804014327f) * exp(x * x * set(-0.5f));
  return fma(x, density, normal_cdf(x));
}

// y = x s(w) with w = 2 sqrt(2/pi) (x + 0.044715 x^3).
FC_INLINE F32 gelu_tanh_slope(F32 x) {
  const F32 square = x * x, scale = set(1.5957691216057308f);
  const F32 s = sigmoid(scale * x * fma(square, set(0.044715f), set(1.0f)));
  const F32 inner = scale * fma(square, set(3.0f * 0.044715f), set(1.0f));
  return fma(x * inner, s * (set(1.0f) - s), s);
}

// y = x t with t = v / (v + 2), v = w (w + 2), w = e^x; t' = 4 w (w + 1) / (v + 2)^2.
FC_INLINE F32 mish_slope(F32 x) {
  const F32 w = exp(min(set(20.0f), x)), v = w * (w + set(2.0f)), inverse = set(1.0f) / (v + set(2.0f));
  return fma(x * (set(4.0f) * w * inverse), (w + set(1.0f)) * inverse, v * inverse);
}

}  // namespace

void activation_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ActivationParams>();
  with_storage(args.in[0].type.dtype, [&](auto item) {
    with_activation(p.kind, [&](auto k) {
      map<decltype(item)>(args, [&](F32 v, F32 dy) { return slope_times<decltype(k)::kind>(v, dy, p.alpha); });
    });
  });
}

void unary_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<UnaryParams>();
  switch (p.kind) {
    case Unary::Exp: return map(args, [](F32 x, F32 dy) { return dy * exp(x); });
    case Unary::Log: return map(args, [](F32 x, F32 dy) { return dy / x; });
    case Unary::Sqrt: return map(args, [](F32 x, F32 dy) { return dy * set(0.5f) / sqrt(x); });
    case Unary::Rsqrt: return map(args, [](F32 x, F32 dy) { return dy * set(-0.5f) / (x * sqrt(x)); });
    case Unary::Square: return map(args, [](F32 x, F32 dy) { return dy * (x + x); });
    case Unary::Abs:
      return map(args, [](F32 x, F32 dy) { return select(x == zero(), zero(), dy * copysign(set(1.0f), x)); });
    case Unary::Negative: return map(args, [](F32, F32 dy) { return -dy; });
    case Unary::Reciprocal: return map(args, [](F32 x, F32 dy) { return -dy / (x * x); });
    case Unary::Clip:
      return map(args, [&](F32 x, F32 dy) { return select((x < set(p.lo)) | (set(p.hi) < x), zero(), dy); });
    case Unary::Softplus: return map(args, [](F32 x, F32 dy) { return dy * sigmoid(x); });
    case Unary::Gelu: return map(args, [](F32 x, F32 dy) { return dy * gelu_slope(x); });
    case Unary::GeluTanh: return map(args, [](F32 x, F32 dy) { return dy * gelu_tanh_slope(x); });
    case Unary::Mish: return map(args, [](F32 x, F32 dy) { return dy * mish_slope(x); });
    case Unary::ThresholdedRelu:
      return map(args, [&](F32 x, F32 dy) { return select(x <= set(p.lo), set(p.hi) * dy, dy); });
    default: return;  // declined: gradient_has_vectors
  }
}

}  // namespace fastcnn::FC_SIMD

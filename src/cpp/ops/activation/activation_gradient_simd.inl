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

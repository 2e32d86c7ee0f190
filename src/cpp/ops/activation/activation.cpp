#include "ops/activation/activation.h"

#include <limits>

#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse_activation_op(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  ActivationParams p;
  p.kind = parse_activation(attrs, p.alpha);
  return Params(p);
}

Params parse_unary(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  UnaryParams p;
  // In the order of the enumeration.
  p.kind = static_cast<Unary>(attrs.choice("kind",
                                           {"exp", "log", "sqrt", "rsqrt", "square", "abs", "negative", "reciprocal",
                                            "clip", "softplus", "gelu", "gelu_tanh", "mish", "thresholded_relu"},
                                           ""));
  if (p.kind == Unary::Clip) {
    p.lo = static_cast<float>(attrs.number("min", -std::numeric_limits<double>::infinity()));
    p.hi = static_cast<float>(attrs.number("max", std::numeric_limits<double>::infinity()));
    require(p.lo <= p.hi, ErrorKind::Config, attrs.op(), ": clip: expected min <= max, got ", p.lo, " and ", p.hi);
  }
  if (p.kind == Unary::ThresholdedRelu) {
    p.lo = static_cast<float>(attrs.number("threshold", 0.0));
    p.hi = static_cast<float>(attrs.number("slope", 0.0));
  }
  return Params(p);
}

std::vector<TensorType> infer_same(const char* op, std::span<const TensorType> inputs) {
  require_f32(op, inputs);
  return {inputs[0]};
}

std::vector<TensorType> infer_activation(const Params&, std::span<const TensorType> inputs) {
  return infer_same("activation", inputs);
}

std::vector<TensorType> infer_unary(const Params&, std::span<const TensorType> inputs) {
  return infer_same("unary", inputs);
}

constexpr KernelInfo kActivationKernels[] = {
#if FC_X86
    {.name = "activation_f32_avx512", .isa = Isa::Avx512, .run = avx512::activation},
    {.name = "activation_f32_avx2", .isa = Isa::Avx2, .run = avx2::activation},
#endif
    {.name = "activation_f32_ref", .run = ref::activation},
};

constexpr KernelInfo kUnaryKernels[] = {
#if FC_X86
    {.name = "unary_f32_avx512", .isa = Isa::Avx512, .run = avx512::unary},
    {.name = "unary_f32_avx2", .isa = Isa::Avx2, .run = avx2::unary},
#endif
    {.name = "unary_f32_ref", .run = ref::unary},
};

}  // namespace

const Op activation_op{.name = "activation",
                       .parse = parse_activation_op,
                       .infer = infer_activation,
                       .kernels = kActivationKernels,
                       .in_place_operands = 1};
const Op unary_op{
    .name = "unary", .parse = parse_unary, .infer = infer_unary, .kernels = kUnaryKernels, .in_place_operands = 1};

}  // namespace fastcnn

#include "ops/activation/activation.h"

#include <limits>

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params read_activation(AttrReader& attrs) {
  ActivationParams p;
  p.kind = parse_activation(attrs, p.alpha);
  return Params(p);
}

Params read_unary(AttrReader& attrs) {
  UnaryParams p;
  // In the order of the enumeration.
  p.kind = static_cast<Unary>(attrs.choice(
      "kind",
      {"exp",      "log",     "sqrt",      "rsqrt",  "square",           "abs",    "negative", "reciprocal", "clip",
       "softplus", "gelu",    "gelu_tanh", "mish",   "thresholded_relu", "floor",  "ceil",     "round",      "sign",
       "sin",      "cos",     "tan",       "arcsin", "arccos",           "arctan", "sinh",     "cosh",       "arcsinh",
       "arccosh",  "arctanh", "erf"},
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

Params parse_activation_op(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return read_activation(attrs);
}

Params parse_unary(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return read_unary(attrs);
}

Params parse_activation_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return read_activation(attrs);
}

Params parse_unary_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return read_unary(attrs);
}

std::vector<TensorType> infer_activation(const Params&, std::span<const TensorType> inputs) {
  require_storage("activation", inputs[0]);
  return {inputs[0]};
}

std::vector<TensorType> infer_unary(const Params&, std::span<const TensorType> inputs) {
  require_f32("unary", inputs);
  return {inputs[0]};
}

std::vector<TensorType> infer_gradient(const char* op, std::span<const TensorType> inputs) {
  require(inputs[0] == inputs[1], ErrorKind::Shape, op, ": expected two operands of one shape, got ", inputs[0].shape,
          " and ", inputs[1].shape);
  return {inputs[0]};
}

std::vector<TensorType> infer_activation_gradient(const Params&, std::span<const TensorType> inputs) {
  require_storage("activation_gradient", inputs, 3u);
  return infer_gradient("activation_gradient", inputs);
}

std::vector<TensorType> infer_unary_gradient(const Params&, std::span<const TensorType> inputs) {
  require_f32("unary_gradient", inputs);
  return infer_gradient("unary_gradient", inputs);
}

// ---- gradients ------------------------------------------------------------------------------

void activation_rule(NodeGradient& node) {
  const auto& p = node.params().as<ActivationParams>();
  const ValueId v = gradient_reads_result(p.kind, p.alpha) ? node.output() : node.input(0);
  node.set(0, node.add(activation_gradient_op, node.params(), {v, node.upstream()}));
}

void unary_rule(NodeGradient& node) {
  node.set(0, node.add(unary_gradient_op, node.params(), {node.input(0), node.upstream()}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kActivationKernels[] = {
#if FC_X86
    {.name = "activation_f32_avx512", .isa = Isa::Avx512, .run = avx512::activation, .bf16_alike = first_operands<1>},
    {.name = "activation_f32_avx2", .isa = Isa::Avx2, .run = avx2::activation, .bf16_alike = first_operands<1>},
#endif
    {.name = "activation_f32_ref", .run = ref::activation},
};

const char* unary_declines(const Problem& problem) {
  return has_vectors(problem.as<UnaryParams>().kind) ? nullptr : "has no vectors of this function";
}

const char* unary_gradient_declines(const Problem& problem) {
  return gradient_has_vectors(problem.as<UnaryParams>().kind) ? nullptr : "has no vectors of this function's slope";
}

constexpr KernelInfo kUnaryKernels[] = {
#if FC_X86
    {.name = "unary_f32_avx512", .isa = Isa::Avx512, .run = avx512::unary, .declines = unary_declines},
    {.name = "unary_f32_avx2", .isa = Isa::Avx2, .run = avx2::unary, .declines = unary_declines},
#endif
    {.name = "unary_f32_ref", .run = ref::unary},
};

constexpr KernelInfo kActivationGradientKernels[] = {
#if FC_X86
    {.name = "activation_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::activation_gradient,
     .bf16_alike = first_operands<2>},
    {.name = "activation_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::activation_gradient,
     .bf16_alike = first_operands<2>},
#endif
    {.name = "activation_gradient_f32_ref", .run = ref::activation_gradient},
};

constexpr KernelInfo kUnaryGradientKernels[] = {
#if FC_X86
    {.name = "unary_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::unary_gradient,
     .declines = unary_gradient_declines},
    {.name = "unary_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::unary_gradient,
     .declines = unary_gradient_declines},
#endif
    {.name = "unary_gradient_f32_ref", .run = ref::unary_gradient},
};

}  // namespace

const Op activation_op{.name = "activation",
                       .parse = parse_activation_op,
                       .infer = infer_activation,
                       .kernels = kActivationKernels,
                       .in_place_operands = 1,
                       .gradient = activation_rule};
const Op unary_op{.name = "unary",
                  .parse = parse_unary,
                  .infer = infer_unary,
                  .kernels = kUnaryKernels,
                  .in_place_operands = 1,
                  .gradient = unary_rule};

const Op activation_gradient_op{.name = "activation_gradient",
                                .parse = parse_activation_gradient,
                                .infer = infer_activation_gradient,
                                .kernels = kActivationGradientKernels,
                                .in_place_operands = 1};
const Op unary_gradient_op{.name = "unary_gradient",
                           .parse = parse_unary_gradient,
                           .infer = infer_unary_gradient,
                           .kernels = kUnaryGradientKernels,
                           .in_place_operands = 1};

}  // namespace fastcnn

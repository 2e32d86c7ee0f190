#include "ops/cross_entropy/cross_entropy.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params read_params(AttrReader& attrs, std::span<const TensorType> inputs) {
  CrossEntropyParams p;
  p.shares = inputs[1].dtype == DType::F32;
  p.has_ignore_class = attrs.has("ignore_class");
  p.ignore_class = attrs.integer("ignore_class", 0);
  require(!p.shares || !p.has_ignore_class, ErrorKind::Config, attrs.op(),
          ": ignore_class: expected labels that are integers, got ", inputs[1]);
  return Params(p);
}

Params parse_softmax(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return read_params(attrs, inputs);
}

Params parse_softmax_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 4, 4);
  return read_params(attrs, inputs);
}

// The type of one number a row; checks logits and labels.
TensorType per_row(const char* op, const Params& params, std::span<const TensorType> inputs) {
  require_f32(op, inputs.first(1));
  const TensorType &logits = inputs[0], &labels = inputs[1];
  require(logits.shape.rank >= 1 && logits.shape.back() >= 1, ErrorKind::Shape, op,
          ": logits must be (..., classes), got shape ", logits.shape);
  Shape rows = logits.shape;
  --rows.rank;
  rows.dims[rows.rank] = 0;
  if (params.as<CrossEntropyParams>().shares) {
    require(labels.shape == logits.shape, ErrorKind::Shape, op, ": expected shares of the logits' shape ", logits.shape,
            ", got shape ", labels.shape);
  } else {
    require(labels.dtype == DType::I64 || labels.dtype == DType::I32 || labels.dtype == DType::U8, ErrorKind::DType, op,
            ": expected labels of dtype int64, int32, uint8 or, as shares, float32, got ", labels);
    require(labels.shape == rows, ErrorKind::Shape, op, ": expected labels of shape ", rows, ", got shape ",
            labels.shape);
  }
  return f32(rows);
}

std::vector<TensorType> infer_softmax(const Params& params, std::span<const TensorType> inputs) {
  const TensorType rows = per_row("softmax_cross_entropy", params, inputs);
  return {rows, rows};
}

std::vector<TensorType> infer_softmax_gradient(const Params& params, std::span<const TensorType> inputs) {
  constexpr const char* kName = "softmax_cross_entropy_gradient";
  const TensorType rows = per_row(kName, params, inputs);
  for (const TensorType& t : inputs.subspan(2))
    require(t == rows, ErrorKind::Shape, kName, ": lse and dloss must be a ", rows, ", got a ", t);
  return {inputs[0]};
}

Params parse_sigmoid(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return Params();
}

Params parse_sigmoid_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  return Params();
}

std::vector<TensorType> infer_sigmoid(const Params&, std::span<const TensorType> inputs) {
  require_f32("sigmoid_cross_entropy", inputs);
  for (const TensorType& t : inputs)
    require(t == inputs[0], ErrorKind::Shape, "sigmoid_cross_entropy: expected operands of one shape, got ",
            inputs[0].shape, " and ", t.shape);
  return {inputs[0]};
}

// ---- gradients ------------------------------------------------------------------------------

void softmax_rule(NodeGradient& node) {
  require(!node.has_upstream(1) && !node.wants(1), ErrorKind::Unsupported,
          "softmax_cross_entropy: only the loss has a gradient, with respect to the logits");
  node.set(0, node.add(softmax_cross_entropy_gradient_op, node.params(),
                       {node.input(0), node.input(1), node.output(1), node.upstream()}));
}

void sigmoid_rule(NodeGradient& node) {
  if (node.wants(0))
    node.set(0, node.add(sigmoid_cross_entropy_gradient_op, Params(), {node.input(0), node.input(1), node.upstream()}));
  if (node.wants(1))
    node.set(1, node.add(mul_op, Attrs{},
                         {node.add(mul_op, Attrs{}, {node.upstream(), node.input(0)}), node.constant(-1.0f)}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kSoftmaxKernels[] = {
#if FC_X86
    {.name = "softmax_cross_entropy_f32_avx512", .isa = Isa::Avx512, .run = avx512::softmax_cross_entropy},
    {.name = "softmax_cross_entropy_f32_avx2", .isa = Isa::Avx2, .run = avx2::softmax_cross_entropy},
#endif
    {.name = "softmax_cross_entropy_f32_ref", .run = ref::softmax_cross_entropy},
};
constexpr KernelInfo kSoftmaxGradientKernels[] = {
#if FC_X86
    {.name = "softmax_cross_entropy_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::softmax_cross_entropy_gradient},
    {.name = "softmax_cross_entropy_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::softmax_cross_entropy_gradient},
#endif
    {.name = "softmax_cross_entropy_gradient_f32_ref", .run = ref::softmax_cross_entropy_gradient},
};
constexpr KernelInfo kSigmoidKernels[] = {
#if FC_X86
    {.name = "sigmoid_cross_entropy_f32_avx512", .isa = Isa::Avx512, .run = avx512::sigmoid_cross_entropy},
    {.name = "sigmoid_cross_entropy_f32_avx2", .isa = Isa::Avx2, .run = avx2::sigmoid_cross_entropy},
#endif
    {.name = "sigmoid_cross_entropy_f32_ref", .run = ref::sigmoid_cross_entropy},
};
constexpr KernelInfo kSigmoidGradientKernels[] = {
#if FC_X86
    {.name = "sigmoid_cross_entropy_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::sigmoid_cross_entropy_gradient},
    {.name = "sigmoid_cross_entropy_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::sigmoid_cross_entropy_gradient},
#endif
    {.name = "sigmoid_cross_entropy_gradient_f32_ref", .run = ref::sigmoid_cross_entropy_gradient},
};

}  // namespace

const Op softmax_cross_entropy_op{.name = "softmax_cross_entropy",
                                  .parse = parse_softmax,
                                  .infer = infer_softmax,
                                  .kernels = kSoftmaxKernels,
                                  .gradient = softmax_rule};
const Op softmax_cross_entropy_gradient_op{.name = "softmax_cross_entropy_gradient",
                                           .parse = parse_softmax_gradient,
                                           .infer = infer_softmax_gradient,
                                           .kernels = kSoftmaxGradientKernels,
                                           .in_place_operands = 1};
const Op sigmoid_cross_entropy_op{.name = "sigmoid_cross_entropy",
                                  .parse = parse_sigmoid,
                                  .infer = infer_sigmoid,
                                  .kernels = kSigmoidKernels,
                                  .in_place_operands = 1,
                                  .gradient = sigmoid_rule};
const Op sigmoid_cross_entropy_gradient_op{.name = "sigmoid_cross_entropy_gradient",
                                           .parse = parse_sigmoid_gradient,
                                           .infer = infer_sigmoid,
                                           .kernels = kSigmoidGradientKernels,
                                           .in_place_operands = 1};

}  // namespace fastcnn

#include "ops/softmax/softmax.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params read_axis(AttrReader& attrs, std::span<const TensorType> inputs) {
  const std::int64_t rank = inputs[0].shape.rank, axis = attrs.integer("axis", -1);
  require(axis >= -rank && axis < rank, ErrorKind::Config, attrs.op(), ": axis ", axis,
          " is outside an array of shape ", inputs[0].shape);
  SoftmaxParams p;
  p.axis = static_cast<std::int32_t>(axis < 0 ? axis + rank : axis);
  return Params(p);
}

Params parse_softmax(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return read_axis(attrs, inputs);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return read_axis(attrs, inputs);
}

std::vector<TensorType> infer_gradient(const Params&, std::span<const TensorType> inputs) {
  require_f32("softmax_gradient", inputs);
  require(inputs[0] == inputs[1], ErrorKind::Shape, "softmax_gradient: expected two operands of one shape, got ",
          inputs[0].shape, " and ", inputs[1].shape);
  return {inputs[0]};
}

void softmax_rule(NodeGradient& node) {
  node.set(0, node.add(softmax_gradient_op, node.params(), {node.output(), node.upstream()}));
}

void log_softmax_rule(NodeGradient& node) {
  node.set(0, node.add(log_softmax_gradient_op, node.params(), {node.output(), node.upstream()}));
}

std::vector<TensorType> infer_softmax(const Params&, std::span<const TensorType> inputs) {
  require_f32("softmax", inputs);
  return {inputs[0]};
}

constexpr KernelInfo kSoftmaxKernels[] = {
#if FC_X86
    {.name = "softmax_f32_avx512", .isa = Isa::Avx512, .run = avx512::softmax},
    {.name = "softmax_f32_avx2", .isa = Isa::Avx2, .run = avx2::softmax},
#endif
    {.name = "softmax_f32_ref", .run = ref::softmax},
};
constexpr KernelInfo kLogSoftmaxKernels[] = {
#if FC_X86
    {.name = "log_softmax_f32_avx512", .isa = Isa::Avx512, .run = avx512::log_softmax},
    {.name = "log_softmax_f32_avx2", .isa = Isa::Avx2, .run = avx2::log_softmax},
#endif
    {.name = "log_softmax_f32_ref", .run = ref::log_softmax},
};

constexpr KernelInfo kSoftmaxGradientKernels[] = {
#if FC_X86
    {.name = "softmax_gradient_f32_avx512", .isa = Isa::Avx512, .run = avx512::softmax_gradient},
    {.name = "softmax_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::softmax_gradient},
#endif
    {.name = "softmax_gradient_f32_ref", .run = ref::softmax_gradient},
};
constexpr KernelInfo kLogSoftmaxGradientKernels[] = {
#if FC_X86
    {.name = "log_softmax_gradient_f32_avx512", .isa = Isa::Avx512, .run = avx512::log_softmax_gradient},
    {.name = "log_softmax_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::log_softmax_gradient},
#endif
    {.name = "log_softmax_gradient_f32_ref", .run = ref::log_softmax_gradient},
};

}  // namespace

const Op softmax_op{.name = "softmax",
                    .parse = parse_softmax,
                    .infer = infer_softmax,
                    .kernels = kSoftmaxKernels,
                    .in_place_operands = 1,
                    .gradient = softmax_rule};
const Op log_softmax_op{.name = "log_softmax",
                        .parse = parse_softmax,
                        .infer = infer_softmax,
                        .kernels = kLogSoftmaxKernels,
                        .in_place_operands = 1,
                        .gradient = log_softmax_rule};
const Op softmax_gradient_op{.name = "softmax_gradient",
                             .parse = parse_gradient,
                             .infer = infer_gradient,
                             .kernels = kSoftmaxGradientKernels,
                             .in_place_operands = 1};
const Op log_softmax_gradient_op{.name = "log_softmax_gradient",
                                 .parse = parse_gradient,
                                 .infer = infer_gradient,
                                 .kernels = kLogSoftmaxGradientKernels,
                                 .in_place_operands = 1};

}  // namespace fastcnn

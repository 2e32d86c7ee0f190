#include "ops/binary/binary.h"

#include <algorithm>

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  Shape y;
  y.rank = std::max(a.rank, b.rank);
  for (int i = 1; i <= y.rank; ++i) {
    const std::int64_t size_a = i <= a.rank ? a[a.rank - i] : 1, size_b = i <= b.rank ? b[b.rank - i] : 1;
    require(size_a == size_b || size_a == 1 || size_b == 1, ErrorKind::Shape, op, ": shapes ", a, " and ", b,
            " cannot be broadcast together: axes must be equal or 1, counted from the last");
    y[y.rank - i] = size_a == 1 ? size_b : size_a;
  }
  return y;
}

Params parse_binary(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require_f32(attrs.op(), inputs);
  broadcast_shape(attrs.op(), inputs[0].shape, inputs[1].shape);  // here, where the op's name is known
  BinaryParams p;
  p.epilogue.activation = parse_activation(attrs, p.epilogue.alpha);
  return Params(p);
}

std::vector<TensorType> infer_binary(const Params&, std::span<const TensorType> inputs) {
  require_f32("binary", inputs);
  return {f32(broadcast_shape("binary", inputs[0].shape, inputs[1].shape))};
}

Epilogue& binary_epilogue(Params& params) { return params.edit<BinaryParams>().epilogue; }

Params parse_prelu(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return Params(BinaryParams{});
}

std::vector<TensorType> infer_prelu(const Params&, std::span<const TensorType> inputs) {
  require_f32("prelu", inputs);
  const Shape &x = inputs[0].shape, &alpha = inputs[1].shape;
  require(broadcast_shape("prelu", x, alpha) == x, ErrorKind::Shape, "prelu: alpha of shape ", alpha,
          " must broadcast to x's shape ", x);
  return {inputs[0]};
}

// ---- gradients ------------------------------------------------------------------------------

// An operand that was repeated gets the sum over its repetitions.
void set_summed(NodeGradient& node, int operand, ValueId gradient) {
  node.set(operand, sum_to_shape(node, gradient, node.input_shape(operand)));
}

void add_gradient(NodeGradient& node) {
  for (int i = 0; i < 2; ++i)
    if (node.wants(i)) set_summed(node, i, node.upstream());
}

void sub_gradient(NodeGradient& node) {
  if (node.wants(0)) set_summed(node, 0, node.upstream());
  if (node.wants(1)) set_summed(node, 1, node.add(mul_op, Attrs{}, {node.upstream(), node.constant(-1.0f)}));
}

void mul_gradient(NodeGradient& node) {
  for (int i = 0; i < 2; ++i)
    if (node.wants(i)) set_summed(node, i, node.add(mul_op, Attrs{}, {node.upstream(), node.input(1 - i)}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kAddKernels[] = {
#if FC_X86
    {.name = "add_f32_avx512", .isa = Isa::Avx512, .run = avx512::add},
    {.name = "add_f32_avx2", .isa = Isa::Avx2, .run = avx2::add},
#endif
    {.name = "add_f32_ref", .run = ref::add},
};
constexpr KernelInfo kSubKernels[] = {
#if FC_X86
    {.name = "sub_f32_avx512", .isa = Isa::Avx512, .run = avx512::sub},
    {.name = "sub_f32_avx2", .isa = Isa::Avx2, .run = avx2::sub},
#endif
    {.name = "sub_f32_ref", .run = ref::sub},
};
constexpr KernelInfo kMulKernels[] = {
#if FC_X86
    {.name = "mul_f32_avx512", .isa = Isa::Avx512, .run = avx512::mul},
    {.name = "mul_f32_avx2", .isa = Isa::Avx2, .run = avx2::mul},
#endif
    {.name = "mul_f32_ref", .run = ref::mul},
};
constexpr KernelInfo kDivKernels[] = {
#if FC_X86
    {.name = "div_f32_avx512", .isa = Isa::Avx512, .run = avx512::div},
    {.name = "div_f32_avx2", .isa = Isa::Avx2, .run = avx2::div},
#endif
    {.name = "div_f32_ref", .run = ref::div},
};
constexpr KernelInfo kMaximumKernels[] = {
#if FC_X86
    {.name = "maximum_f32_avx512", .isa = Isa::Avx512, .run = avx512::maximum},
    {.name = "maximum_f32_avx2", .isa = Isa::Avx2, .run = avx2::maximum},
#endif
    {.name = "maximum_f32_ref", .run = ref::maximum},
};
constexpr KernelInfo kMinimumKernels[] = {
#if FC_X86
    {.name = "minimum_f32_avx512", .isa = Isa::Avx512, .run = avx512::minimum},
    {.name = "minimum_f32_avx2", .isa = Isa::Avx2, .run = avx2::minimum},
#endif
    {.name = "minimum_f32_ref", .run = ref::minimum},
};
constexpr KernelInfo kPreluKernels[] = {
#if FC_X86
    {.name = "prelu_f32_avx512", .isa = Isa::Avx512, .run = avx512::prelu},
    {.name = "prelu_f32_avx2", .isa = Isa::Avx2, .run = avx2::prelu},
#endif
    {.name = "prelu_f32_ref", .run = ref::prelu},
};

constexpr Op binary_op(const char* name, std::span<const KernelInfo> kernels,
                       void (*gradient)(NodeGradient&) = nullptr) {
  return {.name = name,
          .parse = parse_binary,
          .infer = infer_binary,
          .kernels = kernels,
          .epilogue = binary_epilogue,
          .num_operands = 2,
          .in_place_operands = 1,
          .gradient = gradient};
}

}  // namespace

const Op add_op = binary_op("add", kAddKernels, add_gradient);
const Op sub_op = binary_op("sub", kSubKernels, sub_gradient);
const Op mul_op = binary_op("mul", kMulKernels, mul_gradient);
const Op div_op = binary_op("div", kDivKernels);
const Op maximum_op = binary_op("maximum", kMaximumKernels);
const Op minimum_op = binary_op("minimum", kMinimumKernels);
const Op prelu_op{
    .name = "prelu", .parse = parse_prelu, .infer = infer_prelu, .kernels = kPreluKernels, .in_place_operands = 1};

}  // namespace fastcnn

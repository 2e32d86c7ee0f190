#include "ops/binary/binary.h"

#include <algorithm>

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {

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

namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_binary(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require_storage(attrs.op(), inputs, 3u);
  broadcast_shape(attrs.op(), inputs[0].shape, inputs[1].shape);  // here, where the op's name is known
  BinaryParams p;
  p.epilogue.activation = parse_activation(attrs, p.epilogue.alpha);
  return Params(p);
}

std::vector<TensorType> infer_binary(const Params&, std::span<const TensorType> inputs) {
  require_storage("binary", inputs, 3u);
  return {{inputs[0].dtype, broadcast_shape("binary", inputs[0].shape, inputs[1].shape)}};
}

Epilogue& binary_epilogue(Params& params) { return params.edit<BinaryParams>().epilogue; }

// Without an epilogue.
Params parse_plain(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require_f32(attrs.op(), inputs);
  broadcast_shape(attrs.op(), inputs[0].shape, inputs[1].shape);
  return Params(BinaryParams{});
}

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

void div_gradient(NodeGradient& node) {
  const ValueId a = node.add(div_op, Attrs{}, {node.upstream(), node.input(1)});
  if (node.wants(0)) set_summed(node, 0, a);
  if (node.wants(1)) {
    const ValueId product = node.add(mul_op, Attrs{}, {a, node.output()});
    set_summed(node, 1, node.add(mul_op, Attrs{}, {product, node.constant(-1.0f)}));
  }
}

// Each operand's share is 1 - (loses + draws or loses) / 2: half where both are equal, all where one is NaN, as
// torch's.
void extremum_gradient(NodeGradient& node, const Op& loses, const Op& draws_or_loses) {
  for (int i = 0; i < 2; ++i) {
    if (!node.wants(i)) continue;
    const std::vector<ValueId> pair{node.input(i), node.input(1 - i)};
    const ValueId lost =
        node.add(add_op, Attrs{}, {node.add(loses, Attrs{}, pair), node.add(draws_or_loses, Attrs{}, pair)});
    const ValueId share =
        node.add(sub_op, Attrs{}, {node.constant(1.0f), node.add(mul_op, Attrs{}, {lost, node.constant(0.5f)})});
    set_summed(node, i, node.add(mul_op, Attrs{}, {share, node.upstream()}));
  }
}

void maximum_gradient(NodeGradient& node) { extremum_gradient(node, less_op, less_equal_op); }
void minimum_gradient(NodeGradient& node) { extremum_gradient(node, greater_op, greater_equal_op); }

void prelu_gradient(NodeGradient& node) {
  const ValueId x = node.input(0), dy = node.upstream();
  if (node.wants(0)) {
    const ValueId left = node.add(mul_op, Attrs{}, {dy, node.input(1)});
    const ValueId positive = node.add(greater_op, Attrs{}, {x, node.constant(0.0f)});
    node.set(0, node.add(where_op, Attrs{}, {positive, dy, left}));
  }
  if (node.wants(1)) {
    const ValueId negative = node.add(minimum_op, Attrs{}, {x, node.constant(0.0f)});
    set_summed(node, 1, node.add(mul_op, Attrs{}, {dy, negative}));
  }
}

// d(a^b) = b a^(b-1) da + a^b log(a) db; where a is 0, b has no part in it.
void pow_gradient(NodeGradient& node) {
  const ValueId a = node.input(0), b = node.input(1), dy = node.upstream();
  const auto times = [&](ValueId p, ValueId q) { return node.add(mul_op, Attrs{}, {p, q}); };
  if (node.wants(0)) {
    const ValueId power = node.add(pow_op, Attrs{}, {a, node.add(sub_op, Attrs{}, {b, node.constant(1.0f)})});
    set_summed(node, 0, times(dy, times(b, power)));
  }
  if (node.wants(1)) {
    const ValueId logarithm = node.add(unary_op, {{"kind", "log"}}, {a});
    const ValueId is_zero = node.add(equal_op, Attrs{}, {a, node.constant(0.0f)});
    const ValueId finite = node.add(where_op, Attrs{}, {is_zero, node.constant(0.0f), logarithm});
    set_summed(node, 1, times(dy, times(node.output(), finite)));
  }
}

// y = a - q b with a whole q, which does not vary.
void remainder_gradient(NodeGradient& node) {
  if (node.wants(0)) set_summed(node, 0, node.upstream());
  if (!node.wants(1)) return;
  const ValueId multiple = node.add(sub_op, Attrs{}, {node.output(), node.input(0)});  // -q b
  const ValueId slope = node.add(div_op, Attrs{}, {multiple, node.input(1)});
  set_summed(node, 1, node.add(mul_op, Attrs{}, {node.upstream(), slope}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

#if FC_X86
// Pictures of one shape, whose result needs no activation that takes a second pass.
std::uint32_t alike(const Problem& problem) {
  const Activation kind = problem.as<BinaryParams>().epilogue.activation;
  const bool taken = kind == Activation::Linear || kind == Activation::Relu;
  return taken && problem.inputs[0].shape == problem.inputs[1].shape ? 3 : 0;
}
#endif

constexpr KernelInfo kAddKernels[] = {
#if FC_X86
    {.name = "add_f32_avx512", .isa = Isa::Avx512, .run = avx512::add, .bf16_alike = alike},
    {.name = "add_f32_avx2", .isa = Isa::Avx2, .run = avx2::add, .bf16_alike = alike},
#endif
    {.name = "add_f32_ref", .run = ref::add},
};
constexpr KernelInfo kSubKernels[] = {
#if FC_X86
    {.name = "sub_f32_avx512", .isa = Isa::Avx512, .run = avx512::sub, .bf16_alike = alike},
    {.name = "sub_f32_avx2", .isa = Isa::Avx2, .run = avx2::sub, .bf16_alike = alike},
#endif
    {.name = "sub_f32_ref", .run = ref::sub},
};
constexpr KernelInfo kMulKernels[] = {
#if FC_X86
    {.name = "mul_f32_avx512", .isa = Isa::Avx512, .run = avx512::mul, .bf16_alike = alike},
    {.name = "mul_f32_avx2", .isa = Isa::Avx2, .run = avx2::mul, .bf16_alike = alike},
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
    {.name = "maximum_f32_avx512", .isa = Isa::Avx512, .run = avx512::maximum, .bf16_alike = alike},
    {.name = "maximum_f32_avx2", .isa = Isa::Avx2, .run = avx2::maximum, .bf16_alike = alike},
#endif
    {.name = "maximum_f32_ref", .run = ref::maximum},
};
constexpr KernelInfo kMinimumKernels[] = {
#if FC_X86
    {.name = "minimum_f32_avx512", .isa = Isa::Avx512, .run = avx512::minimum, .bf16_alike = alike},
    {.name = "minimum_f32_avx2", .isa = Isa::Avx2, .run = avx2::minimum, .bf16_alike = alike},
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

constexpr KernelInfo kEqualKernels[] = {
#if FC_X86
    {.name = "equal_f32_avx512", .isa = Isa::Avx512, .run = avx512::equal},
    {.name = "equal_f32_avx2", .isa = Isa::Avx2, .run = avx2::equal},
#endif
    {.name = "equal_f32_ref", .run = ref::equal},
};
constexpr KernelInfo kNotEqualKernels[] = {
#if FC_X86
    {.name = "not_equal_f32_avx512", .isa = Isa::Avx512, .run = avx512::not_equal},
    {.name = "not_equal_f32_avx2", .isa = Isa::Avx2, .run = avx2::not_equal},
#endif
    {.name = "not_equal_f32_ref", .run = ref::not_equal},
};
constexpr KernelInfo kGreaterKernels[] = {
#if FC_X86
    {.name = "greater_f32_avx512", .isa = Isa::Avx512, .run = avx512::greater},
    {.name = "greater_f32_avx2", .isa = Isa::Avx2, .run = avx2::greater},
#endif
    {.name = "greater_f32_ref", .run = ref::greater},
};
constexpr KernelInfo kGreaterEqualKernels[] = {
#if FC_X86
    {.name = "greater_equal_f32_avx512", .isa = Isa::Avx512, .run = avx512::greater_equal},
    {.name = "greater_equal_f32_avx2", .isa = Isa::Avx2, .run = avx2::greater_equal},
#endif
    {.name = "greater_equal_f32_ref", .run = ref::greater_equal},
};
constexpr KernelInfo kLessKernels[] = {
#if FC_X86
    {.name = "less_f32_avx512", .isa = Isa::Avx512, .run = avx512::less},
    {.name = "less_f32_avx2", .isa = Isa::Avx2, .run = avx2::less},
#endif
    {.name = "less_f32_ref", .run = ref::less},
};
constexpr KernelInfo kLessEqualKernels[] = {
#if FC_X86
    {.name = "less_equal_f32_avx512", .isa = Isa::Avx512, .run = avx512::less_equal},
    {.name = "less_equal_f32_avx2", .isa = Isa::Avx2, .run = avx2::less_equal},
#endif
    {.name = "less_equal_f32_ref", .run = ref::less_equal},
};
constexpr KernelInfo kPowKernels[] = {
    {.name = "pow_f32_ref", .run = ref::pow},
};
constexpr KernelInfo kModKernels[] = {
    {.name = "mod_f32_ref", .run = ref::mod},
};
constexpr KernelInfo kFmodKernels[] = {
    {.name = "fmod_f32_ref", .run = ref::fmod},
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

constexpr Op comparison_op(const char* name, std::span<const KernelInfo> kernels) {
  return {.name = name,
          .parse = parse_plain,
          .infer = infer_binary,
          .kernels = kernels,
          .in_place_operands = 1,
          .gradient = no_gradient};
}

}  // namespace

const Op add_op = binary_op("add", kAddKernels, add_gradient);
const Op sub_op = binary_op("sub", kSubKernels, sub_gradient);
const Op mul_op = binary_op("mul", kMulKernels, mul_gradient);
const Op div_op = binary_op("div", kDivKernels, div_gradient);
const Op maximum_op = binary_op("maximum", kMaximumKernels, maximum_gradient);
const Op minimum_op = binary_op("minimum", kMinimumKernels, minimum_gradient);
const Op prelu_op{.name = "prelu",
                  .parse = parse_prelu,
                  .infer = infer_prelu,
                  .kernels = kPreluKernels,
                  .in_place_operands = 1,
                  .gradient = prelu_gradient};
const Op equal_op = comparison_op("equal", kEqualKernels);
const Op not_equal_op = comparison_op("not_equal", kNotEqualKernels);
const Op greater_op = comparison_op("greater", kGreaterKernels);
const Op greater_equal_op = comparison_op("greater_equal", kGreaterEqualKernels);
const Op less_op = comparison_op("less", kLessKernels);
const Op less_equal_op = comparison_op("less_equal", kLessEqualKernels);
const Op pow_op{
    .name = "pow", .parse = parse_plain, .infer = infer_binary, .kernels = kPowKernels, .gradient = pow_gradient};
const Op mod_op{
    .name = "mod", .parse = parse_plain, .infer = infer_binary, .kernels = kModKernels, .gradient = remainder_gradient};
const Op fmod_op{.name = "fmod",
                 .parse = parse_plain,
                 .infer = infer_binary,
                 .kernels = kFmodKernels,
                 .gradient = remainder_gradient};

}  // namespace fastcnn

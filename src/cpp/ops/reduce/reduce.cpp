#include "ops/reduce/reduce.h"

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_reduce(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape& x = inputs[0].shape;
  ReduceParams p;
  p.keepdims = attrs.boolean("keepdims", false);
  if (attrs.has("axis")) {
    for (const std::int64_t axis : attrs.integers("axis", {})) {
      require(axis >= -x.rank && axis < x.rank, ErrorKind::Config, attrs.op(), ": axis ", axis,
              " is outside an array of shape ", x);
      const std::int32_t bit = 1 << (axis < 0 ? axis + x.rank : axis);
      require((p.axes & bit) == 0, ErrorKind::Config, attrs.op(), ": axis ", axis, " is named twice");
      p.axes |= bit;
    }
  } else {
    p.axes = (1 << x.rank) - 1;
  }
  return Params(p);
}

Shape reduced_shape(const ReduceParams& p, const Shape& x) {
  Shape y;
  for (int i = 0; i < x.rank; ++i) {
    const bool reduced = (p.axes >> i) & 1;
    if (!reduced || p.keepdims) y.push_back(reduced ? 1 : x[i]);
  }
  return y;
}

// Sums of numbers stored in bfloat16 are float32.
std::vector<TensorType> infer_sum(const Params& params, std::span<const TensorType> inputs) {
  require_storage("reduce", inputs[0]);
  return {f32(reduced_shape(params.as<ReduceParams>(), inputs[0].shape))};
}

std::vector<TensorType> infer_reduce(const Params& params, std::span<const TensorType> inputs) {
  require_f32("reduce", inputs);
  return infer_sum(params, inputs);
}

void require_cells(const ReduceParams& p, const Shape& x) {
  for (int i = 0; i < x.rank; ++i)
    require(x[i] > 0 || !((p.axes >> i) & 1), ErrorKind::Shape, "reduce: the maximum or minimum over axis ", i,
            " of an array of shape ", x, " is that of nothing");
}

std::vector<TensorType> infer_extremum(const Params& params, std::span<const TensorType> inputs) {
  require_cells(params.as<ReduceParams>(), inputs[0].shape);
  return infer_reduce(params, inputs);
}

std::vector<TensorType> infer_argmax(const Params& params, std::span<const TensorType> inputs) {
  return {{DType::I64, infer_extremum(params, inputs)[0].shape}};
}

// ---- gradients ------------------------------------------------------------------------------

// The upstream gradient repeated over the axes that were summed.
ValueId repeat(NodeGradient& node, ValueId upstream) {
  const Shape& x = node.input_shape(0);
  const auto& p = node.params().as<ReduceParams>();
  std::vector<std::int64_t> kept, whole;
  for (int i = 0; i < x.rank; ++i) {
    kept.push_back((p.axes >> i) & 1 ? 1 : x[i]);
    whole.push_back(x[i]);
  }
  return node.add(broadcast_to_op, {{"shape", whole}}, {node.add(reshape_op, {{"shape", kept}}, {upstream})});
}

void sum_gradient(NodeGradient& node) { node.set(0, repeat(node, node.upstream())); }

void mean_gradient(NodeGradient& node) {
  const std::int64_t count = node.input_shape(0).size() / max_i64(1, node.output_shape().size());
  const ValueId share = node.constant(1.0f / static_cast<float>(count));
  node.set(0, repeat(node, node.add(mul_op, Attrs{}, {node.upstream(), share})));
}

// Equal extrema share the gradient evenly, as in TensorFlow and torch's amax.
void extremum_gradient(NodeGradient& node) {
  const ValueId found = node.add(equal_op, Attrs{}, {node.input(0), repeat(node, node.output())});
  const ValueId count = node.add(reduce_sum_op, node.params(), {found});
  const ValueId share = repeat(node, node.add(div_op, Attrs{}, {node.upstream(), count}));
  node.set(0, node.add(mul_op, Attrs{}, {found, share}));
}

// The product of the other factors: that of all but the zeros, divided by the factor's own, unless one of the others
// is zero. It is for a zero if it is the only one, for the rest if there is none.
void prod_gradient(NodeGradient& node) {
  const ValueId zero = node.add(equal_op, Attrs{}, {node.input(0), node.constant(0.0f)});
  const ValueId count = repeat(node, node.add(reduce_sum_op, node.params(), {zero}));
  const ValueId factors = node.add(add_op, Attrs{}, {node.input(0), zero});
  const ValueId product = node.add(reduce_prod_op, node.params(), {factors});
  const ValueId scaled = repeat(node, node.add(mul_op, Attrs{}, {node.upstream(), product}));
  const ValueId others = node.add(div_op, Attrs{}, {scaled, factors});
  node.set(0, node.add(mul_op, Attrs{}, {others, node.add(equal_op, Attrs{}, {count, zero})}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

std::int64_t chunk_bytes(const Problem& problem) {
  const ReduceLoops loops = reduce_loops(reduce_nest(problem.as<ReduceParams>(), problem.inputs[0].shape));
  const std::int64_t chunks = reduce_chunks(loops).chunks, partials = loops.cells * chunks;
  if (chunks == 1) return 0;
  return partials * (loops.runs ? static_cast<std::int64_t>(sizeof(double))
                                : loops.inner * static_cast<std::int64_t>(sizeof(float)));
}

const char* argmax_declines(const Problem& problem) {
  const ReduceNest nest = reduce_nest(problem.as<ReduceParams>(), problem.inputs[0].shape);
  const ReduceLoops loops = reduce_loops(nest);
  if (nest.rank > (loops.runs ? 2 : 3)) return "needs reduced axes that are neighbours";
  if (!loops.runs && loops.count >= (1 << 24)) return "counts rows in floats, exact below 2^24";
  return nullptr;
}

constexpr KernelInfo kSumKernels[] = {
#if FC_X86
    {.name = "reduce_sum_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::reduce_sum,
     .workspace = chunk_bytes,
     .bf16_alike = first_operands<1>},
    {.name = "reduce_sum_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::reduce_sum,
     .workspace = chunk_bytes,
     .bf16_alike = first_operands<1>},
#endif
    {.name = "reduce_sum_f32_ref", .run = ref::reduce_sum},
};
constexpr KernelInfo kMeanKernels[] = {
#if FC_X86
    {.name = "reduce_mean_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::reduce_mean,
     .workspace = chunk_bytes,
     .bf16_alike = first_operands<1>},
    {.name = "reduce_mean_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::reduce_mean,
     .workspace = chunk_bytes,
     .bf16_alike = first_operands<1>},
#endif
    {.name = "reduce_mean_f32_ref", .run = ref::reduce_mean},
};
constexpr KernelInfo kMaxKernels[] = {
#if FC_X86
    {.name = "reduce_max_f32_avx512", .isa = Isa::Avx512, .run = avx512::reduce_max, .workspace = chunk_bytes},
    {.name = "reduce_max_f32_avx2", .isa = Isa::Avx2, .run = avx2::reduce_max, .workspace = chunk_bytes},
#endif
    {.name = "reduce_max_f32_ref", .run = ref::reduce_max},
};
constexpr KernelInfo kMinKernels[] = {
#if FC_X86
    {.name = "reduce_min_f32_avx512", .isa = Isa::Avx512, .run = avx512::reduce_min, .workspace = chunk_bytes},
    {.name = "reduce_min_f32_avx2", .isa = Isa::Avx2, .run = avx2::reduce_min, .workspace = chunk_bytes},
#endif
    {.name = "reduce_min_f32_ref", .run = ref::reduce_min},
};
constexpr KernelInfo kProdKernels[] = {
    {.name = "reduce_prod_f32_ref", .run = ref::reduce_prod},
};
constexpr KernelInfo kArgmaxKernels[] = {
#if FC_X86
    {.name = "argmax_f32_avx512", .isa = Isa::Avx512, .run = avx512::argmax, .declines = argmax_declines},
    {.name = "argmax_f32_avx2", .isa = Isa::Avx2, .run = avx2::argmax, .declines = argmax_declines},
#endif
    {.name = "argmax_f32_ref", .run = ref::argmax},
};

}  // namespace

const Op reduce_sum_op{
    .name = "reduce_sum", .parse = parse_reduce, .infer = infer_sum, .kernels = kSumKernels, .gradient = sum_gradient};
const Op reduce_mean_op{.name = "reduce_mean",
                        .parse = parse_reduce,
                        .infer = infer_sum,
                        .kernels = kMeanKernels,
                        .gradient = mean_gradient};
const Op reduce_max_op{.name = "reduce_max",
                       .parse = parse_reduce,
                       .infer = infer_extremum,
                       .kernels = kMaxKernels,
                       .gradient = extremum_gradient};
const Op reduce_min_op{.name = "reduce_min",
                       .parse = parse_reduce,
                       .infer = infer_extremum,
                       .kernels = kMinKernels,
                       .gradient = extremum_gradient};
const Op reduce_prod_op{.name = "reduce_prod",
                        .parse = parse_reduce,
                        .infer = infer_reduce,
                        .kernels = kProdKernels,
                        .gradient = prod_gradient};
const Op argmax_op{
    .name = "argmax", .parse = parse_reduce, .infer = infer_argmax, .kernels = kArgmaxKernels, .gradient = no_gradient};

}  // namespace fastcnn

#include "ops/gram/gram.h"

#include <cmath>

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_gram(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  GramParams p;
  p.scale = static_cast<float>(attrs.number("scale", 1));
  require(std::isfinite(p.scale), ErrorKind::Config, attrs.op(), ": scale: expected a finite number");
  return Params(p);
}

std::vector<TensorType> infer_gram(const Params&, std::span<const TensorType> inputs) {
  require_f32("gram_matrix", inputs);
  const Shape& x = inputs[0].shape;
  require(x.rank >= 3, ErrorKind::Shape, "gram_matrix: x must have shape (n, ..., c) and at least 3 dimensions, got ",
          x);
  Shape y;
  y.push_back(x[0]);
  y.push_back(x.back());
  y.push_back(x.back());
  return {f32(y)};
}

std::int64_t gram_workspace(const Problem& problem) {
  const GramSplit s = split_gram(problem.inputs[0].shape);
  const std::int64_t packed = min_i64(s.group, ceil_div(s.pixels, kGramBlock)) * kGramBlock * s.padded;
  return (packed + s.slices * s.padded * s.padded) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t gram_flops(const Problem& problem) {  // of the half that is computed
  const Shape& x = problem.inputs[0].shape;
  return x.size() * (x.back() + 1);
}

// dx = scale x (dy + dy^T), matrix by matrix.
void gram_rule(NodeGradient& node) {
  const Shape& x = node.input_shape(0);
  const std::vector<std::int64_t> rows{x[0], x.product(1, x.rank - 1), x.back()}, whole(x.dims, x.dims + x.rank);
  const ValueId dy = node.upstream();
  const ValueId turned = node.add(transpose_op, {{"axes", std::vector<std::int64_t>{0, 2, 1}}}, {dy});
  const ValueId both = node.add(
      mul_op, Attrs{}, {node.add(add_op, Attrs{}, {turned, dy}), node.constant(node.params().as<GramParams>().scale)});
  const ValueId product =
      node.add(matmul_op, Attrs{}, {node.add(reshape_op, {{"shape", rows}}, {node.input(0)}), both});
  node.set(0, node.add(reshape_op, {{"shape", whole}}, {product}));
}

// ---- the kernel table: best first, ref last -----------------------------------------------------

constexpr KernelInfo kGramKernels[] = {
#if FC_X86
    {.name = "gram_matrix_f32_avx512", .isa = Isa::Avx512, .run = avx512::gram_matrix, .workspace = gram_workspace},
    {.name = "gram_matrix_f32_avx2", .isa = Isa::Avx2, .run = avx2::gram_matrix, .workspace = gram_workspace},
#endif
    {.name = "gram_matrix_f32_ref", .run = ref::gram_matrix},
};

}  // namespace

const Op gram_matrix_op{.name = "gram_matrix",
                        .parse = parse_gram,
                        .infer = infer_gram,
                        .kernels = kGramKernels,
                        .flops = gram_flops,
                        .gradient = gram_rule};

}  // namespace fastcnn

#include "ops/where/where.h"

#include <algorithm>

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse_where(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  return Params();
}

std::vector<TensorType> infer_where(const Params&, std::span<const TensorType> inputs) {
  const DType kind = inputs[0].dtype;
  require(kind == DType::F32 || kind == DType::U8 || kind == DType::Bool, ErrorKind::DType,
          "where: expected a condition of dtype float32, uint8 or bool, got ", inputs[0]);
  require(inputs[1].dtype == inputs[2].dtype, ErrorKind::DType, "where: expected two operands of one dtype, got ",
          inputs[1], " and ", inputs[2]);
  Shape y;
  for (const TensorType& t : inputs) y.rank = std::max(y.rank, t.shape.rank);
  for (int i = 0; i < y.rank; ++i) {
    std::int64_t size = 1;
    for (const TensorType& t : inputs) {
      const int axis = t.shape.rank - 1 - i;
      if (axis < 0 || t.shape[axis] == 1) continue;
      require(size == 1 || t.shape[axis] == size, ErrorKind::Shape, "where: shapes ", inputs[0].shape, ", ",
              inputs[1].shape, " and ", inputs[2].shape, " cannot be broadcast together");
      size = t.shape[axis];
    }
    y[y.rank - 1 - i] = size;
  }
  return {{inputs[1].dtype, y}};
}

void where_rule(NodeGradient& node) {
  const ValueId zero = node.constant(0.0f), dy = node.upstream(), condition = node.input(0);
  if (node.wants(1))
    node.set(1, sum_to_shape(node, node.add(where_op, Params(), {condition, dy, zero}), node.input_shape(1)));
  if (node.wants(2))
    node.set(2, sum_to_shape(node, node.add(where_op, Params(), {condition, zero, dy}), node.input_shape(2)));
}

const char* declines(const Problem& problem) {
  if (problem.inputs[0].dtype != DType::F32 || problem.inputs[1].dtype != DType::F32)
    return "needs float32 operands and a float32 condition";
  const std::int64_t size = problem.outputs[0].shape.size();
  for (int k = 0; k < 3; ++k)
    if (const std::int64_t n = problem.inputs[k].shape.size(); n != size && n != 1)
      return "needs operands of the result's shape or of one element";
  return nullptr;
}

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "where_f32_avx512", .isa = Isa::Avx512, .run = avx512::where, .declines = declines},
    {.name = "where_f32_avx2", .isa = Isa::Avx2, .run = avx2::where, .declines = declines},
#endif
    {.name = "where_any_ref", .run = ref::where},
};

}  // namespace

const Op where_op{
    .name = "where", .parse = parse_where, .infer = infer_where, .kernels = kKernels, .gradient = where_rule};

}  // namespace fastcnn

#include "ops/gather/gather.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

void require_indices(const char* op, const TensorType& indices) {
  require(indices.dtype == DType::I64 || indices.dtype == DType::I32, ErrorKind::DType, op,
          ": expected indices of dtype int64 or int32, got ", indices);
}

std::int64_t read_axis(AttrReader& attrs, std::int64_t rank) {
  const std::int64_t axis = attrs.integer("axis", 0);
  require(axis >= -rank && axis < rank, ErrorKind::Config, attrs.op(), ": axis ", axis, " does not exist among ", rank,
          " axes");
  return axis < 0 ? axis + rank : axis;
}

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  GatherParams p;
  p.axis = read_axis(attrs, inputs[0].shape.rank);
  p.size = inputs[0].shape[static_cast<int>(p.axis)];
  return Params(p);
}

// dy has the result's shape, so the axis among x's and its size are told.
Params parse_gradient(AttrReader& attrs, std::int64_t rank) {
  GatherParams p;
  p.axis = read_axis(attrs, rank);
  p.size = attrs.integer("size", 0);
  require(p.size >= 0 && p.size < (std::int64_t{1} << 40), ErrorKind::Config, attrs.op(),
          ": size: expected that of the axis, got ", p.size);
  return Params(p);
}

Params parse_take_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return parse_gradient(attrs, inputs[0].shape.rank - inputs[1].shape.rank + 1);
}

Params parse_along_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return parse_gradient(attrs, inputs[0].shape.rank);
}

std::vector<TensorType> infer_take(const Params& params, std::span<const TensorType> inputs) {
  const int axis = static_cast<int>(params.as<GatherParams>().axis);
  const Shape &x = inputs[0].shape, &indices = inputs[1].shape;
  require_indices("take", inputs[1]);
  require(x.rank - 1 + indices.rank <= kMaxRank, ErrorKind::Shape, "take: the result would have more than ", kMaxRank,
          " axes, for x of shape ", x, " and indices of shape ", indices);
  Shape y;
  for (int i = 0; i < axis; ++i) y.push_back(x[i]);
  for (int i = 0; i < indices.rank; ++i) y.push_back(indices[i]);
  for (int i = axis + 1; i < x.rank; ++i) y.push_back(x[i]);
  return {{inputs[0].dtype, y}};
}

std::vector<TensorType> infer_take_gradient(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<GatherParams>();
  const int axis = static_cast<int>(p.axis);
  const Shape &dy = inputs[0].shape, &indices = inputs[1].shape;
  require_f32("take_gradient", inputs.first(1));
  require_indices("take_gradient", inputs[1]);
  bool fits = axis + indices.rank <= dy.rank;
  for (int i = 0; fits && i < indices.rank; ++i) fits = dy[axis + i] == indices[i];
  require(fits, ErrorKind::Shape, "take_gradient: dy of shape ", dy, " does not hold indices of shape ", indices,
          " at axis ", p.axis);
  Shape x;
  for (int i = 0; i < axis; ++i) x.push_back(dy[i]);
  x.push_back(p.size);
  for (int i = axis + indices.rank; i < dy.rank; ++i) x.push_back(dy[i]);
  return {f32(x)};
}

void require_along(const char* op, const Shape& x, const Shape& indices, int axis) {
  bool fits = x.rank == indices.rank;
  for (int i = 0; fits && i < x.rank; ++i) fits = i == axis || x[i] == indices[i];
  require(fits, ErrorKind::Shape, op, ": expected indices of x's shape but for axis ", axis, ", got x of shape ", x,
          " and indices of shape ", indices);
}

std::vector<TensorType> infer_along(const Params& params, std::span<const TensorType> inputs) {
  require_indices("take_along_axis", inputs[1]);
  require_along("take_along_axis", inputs[0].shape, inputs[1].shape, static_cast<int>(params.as<GatherParams>().axis));
  return {{inputs[0].dtype, inputs[1].shape}};
}

std::vector<TensorType> infer_along_gradient(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<GatherParams>();
  require_f32("take_along_axis_gradient", inputs.first(1));
  require_indices("take_along_axis_gradient", inputs[1]);
  require(inputs[0].shape == inputs[1].shape, ErrorKind::Shape,
          "take_along_axis_gradient: expected dy and indices of one shape, got ", inputs[0].shape, " and ",
          inputs[1].shape);
  Shape x = inputs[0].shape;
  x[static_cast<int>(p.axis)] = p.size;
  return {f32(x)};
}

// ---- gradients ------------------------------------------------------------------------------

void take_rule(NodeGradient& node) {
  if (node.wants(0)) node.set(0, node.add(take_gradient_op, node.params(), {node.upstream(), node.input(1)}));
}

void along_rule(NodeGradient& node) {
  if (node.wants(0))
    node.set(0, node.add(take_along_axis_gradient_op, node.params(), {node.upstream(), node.input(1)}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kTakeKernels[] = {{.name = "take_any_ref", .run = ref::take}};
constexpr KernelInfo kTakeGradientKernels[] = {{.name = "take_gradient_f32_ref", .run = ref::take_gradient}};
constexpr KernelInfo kAlongKernels[] = {{.name = "take_along_axis_any_ref", .run = ref::take_along_axis}};
constexpr KernelInfo kAlongGradientKernels[] = {
    {.name = "take_along_axis_gradient_f32_ref", .run = ref::take_along_axis_gradient}};

}  // namespace

const Op take_op{.name = "take", .parse = parse, .infer = infer_take, .kernels = kTakeKernels, .gradient = take_rule};
const Op take_gradient_op{.name = "take_gradient",
                          .parse = parse_take_gradient,
                          .infer = infer_take_gradient,
                          .kernels = kTakeGradientKernels};
const Op take_along_axis_op{
    .name = "take_along_axis", .parse = parse, .infer = infer_along, .kernels = kAlongKernels, .gradient = along_rule};
const Op take_along_axis_gradient_op{.name = "take_along_axis_gradient",
                                     .parse = parse_along_gradient,
                                     .infer = infer_along_gradient,
                                     .kernels = kAlongGradientKernels};

}  // namespace fastcnn

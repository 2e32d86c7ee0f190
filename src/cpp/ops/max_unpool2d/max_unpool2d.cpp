#include "ops/max_unpool2d/max_unpool2d.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

void require_indices(const char* op, const TensorType& indices) {
  require_rank(op, "indices", indices, 4);
  require(indices.dtype == DType::I64, ErrorKind::DType, op, ": expected indices of dtype int64, got ", indices);
}

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require_rank(attrs.op(), "x", inputs[0], 4);
  require(attrs.has("output_size"), ErrorKind::Config, attrs.op(), ": output_size: expected (height, width)");
  MaxUnpool2dParams p;
  std::tie(p.height, p.width) = attrs.pair("output_size", 1, 1);
  return Params(p);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require_rank(attrs.op(), "dy", inputs[0], 4);
  return Params(MaxUnpool2dParams{inputs[0].shape[1], inputs[0].shape[2]});
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<MaxUnpool2dParams>();
  require_f32("max_unpool2d", inputs.first(1));
  require_indices("max_unpool2d", inputs[1]);
  require(inputs[0].shape == inputs[1].shape, ErrorKind::Shape,
          "max_unpool2d: expected an index for each of x's shape ", inputs[0].shape, ", got ", inputs[1].shape);
  Shape y = inputs[0].shape;
  y[1] = p.height, y[2] = p.width;
  return {f32(y)};
}

std::vector<TensorType> infer_gradient(const Params&, std::span<const TensorType> inputs) {
  const Shape &dy = inputs[0].shape, &indices = inputs[1].shape;
  require_f32("max_unpool2d_gradient", inputs.first(1));
  require_indices("max_unpool2d_gradient", inputs[1]);
  require(dy[0] == indices[0] && dy[3] == indices[3], ErrorKind::Shape, "max_unpool2d_gradient: dy of shape ", dy,
          " does not belong to indices of shape ", indices);
  return {f32(indices)};
}

void rule(NodeGradient& node) {
  if (node.wants(0)) node.set(0, node.add(max_unpool2d_gradient_op, Params(), {node.upstream(), node.input(1)}));
}

constexpr KernelInfo kKernels[] = {{.name = "max_unpool2d_f32_ref", .run = ref::max_unpool2d}};
constexpr KernelInfo kGradientKernels[] = {
    {.name = "max_unpool2d_gradient_f32_ref", .run = ref::max_unpool2d_gradient}};

}  // namespace

const Op max_unpool2d_op{.name = "max_unpool2d", .parse = parse, .infer = infer, .kernels = kKernels, .gradient = rule};
const Op max_unpool2d_gradient_op{
    .name = "max_unpool2d_gradient", .parse = parse_gradient, .infer = infer_gradient, .kernels = kGradientKernels};

}  // namespace fastcnn

#include "ops/top_k/top_k.h"

#include "ops/gather/gather.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape& x = inputs[0].shape;
  TopKParams p;
  p.axis = attrs.integer("axis", -1);
  require(p.axis >= -x.rank && p.axis < x.rank, ErrorKind::Config, "topk: axis ", p.axis, " does not exist among ",
          x.rank, " axes");
  if (p.axis < 0) p.axis += x.rank;
  p.k = attrs.integer("k", 1);
  const std::int64_t size = x[static_cast<int>(p.axis)];
  require(p.k >= 0 && p.k <= size, ErrorKind::Config, "topk: k: expected 0 to the ", size, " elements of axis ", p.axis,
          ", got ", p.k);
  p.largest = attrs.boolean("largest", true);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  require(inputs[0].dtype != DType::Bool, ErrorKind::DType, "topk: expected numbers, got ", inputs[0]);
  const auto& p = params.as<TopKParams>();
  TensorType y = inputs[0];
  y.shape[static_cast<int>(p.axis)] = p.k;
  return {y, {DType::I64, y.shape}};
}

void rule(NodeGradient& node) {
  const auto& p = node.params().as<TopKParams>();
  GatherParams gather;
  gather.axis = p.axis;
  gather.size = node.input_shape(0)[static_cast<int>(p.axis)];
  node.set(0, node.add(take_along_axis_gradient_op, Params(gather), {node.upstream(), node.output(1)}));
}

constexpr KernelInfo kKernels[] = {{.name = "topk_any_ref", .run = ref::topk}};

}  // namespace

const Op topk_op{.name = "topk", .parse = parse, .infer = infer, .kernels = kKernels, .gradient = rule};

}  // namespace fastcnn

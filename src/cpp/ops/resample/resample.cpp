#include "ops/resample/resample.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

ResampleParams read_axis(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  const std::int64_t rank = inputs[0].shape.rank;
  ResampleParams p;
  p.axis = attrs.integer("axis", 0);
  require(p.axis >= -rank && p.axis < rank, ErrorKind::Config, attrs.op(), ": axis ", p.axis, " does not exist among ",
          rank, " axes");
  if (p.axis < 0) p.axis += rank;
  return p;
}

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  ResampleParams p = read_axis(attrs, inputs);
  p.size = inputs[0].shape[static_cast<int>(p.axis)];
  return Params(p);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  ResampleParams p = read_axis(attrs, inputs);
  p.size = attrs.integer("size", 1);
  require(p.size >= 0 && p.size < (std::int64_t{1} << 31), ErrorKind::Config, attrs.op(),
          ": size: expected that of the axis, got ", p.size);
  return Params(p);
}

void require_taps(const char* op, std::span<const TensorType> inputs) {
  require(inputs[0].dtype == DType::F32 && inputs[2].dtype == DType::F32, ErrorKind::DType, op,
          ": expected float32 elements and weights, got ", inputs[0], " and ", inputs[2]);
  require(inputs[1].dtype == DType::I64, ErrorKind::DType, op, ": expected indices of dtype int64, got ", inputs[1]);
  require(inputs[1].shape.rank == 2 && inputs[1].shape == inputs[2].shape, ErrorKind::Shape, op,
          ": expected indices and weights of one shape (m, taps), got ", inputs[1].shape, " and ", inputs[2].shape);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  require_taps("resample", inputs);
  TensorType y = inputs[0];
  y.shape[static_cast<int>(params.as<ResampleParams>().axis)] = inputs[1].shape[0];
  return {y};
}

std::vector<TensorType> infer_gradient(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<ResampleParams>();
  require_taps("resample_gradient", inputs);
  TensorType x = inputs[0];
  require(x.shape[static_cast<int>(p.axis)] == inputs[1].shape[0], ErrorKind::Shape, "resample_gradient: dy of shape ",
          x.shape, " does not belong to indices of shape ", inputs[1].shape);
  x.shape[static_cast<int>(p.axis)] = p.size;
  return {x};
}

void rule(NodeGradient& node) {
  require(!node.wants(2), ErrorKind::Unsupported, "resample: the weights have no gradient");
  if (node.wants(0))
    node.set(0, node.add(resample_gradient_op, node.params(), {node.upstream(), node.input(1), node.input(2)}));
}

constexpr KernelInfo kKernels[] = {{.name = "resample_f32_ref", .run = ref::resample}};
constexpr KernelInfo kGradientKernels[] = {{.name = "resample_gradient_f32_ref", .run = ref::resample_gradient}};

}  // namespace

const Op resample_op{.name = "resample", .parse = parse, .infer = infer, .kernels = kKernels, .gradient = rule};
const Op resample_gradient_op{
    .name = "resample_gradient", .parse = parse_gradient, .infer = infer_gradient, .kernels = kGradientKernels};

}  // namespace fastcnn

#include "ops/concat/concat.h"

#include <climits>

#include "ops/gradient.h"
#include "ops/rooms.h"
#include "ops/slice/slice.h"

namespace fastcnn {
namespace {

Params parse_concat(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, INT_MAX);
  const std::int64_t rank = inputs[0].shape.rank, axis = attrs.integer("axis", -1);
  require(axis >= -rank && axis < rank, ErrorKind::Config, "concat: axis ", axis,
          " does not exist in an operand of shape ", inputs[0].shape);
  return Params(ConcatParams{static_cast<std::int32_t>(axis < 0 ? axis + rank : axis)});
}

std::vector<TensorType> infer_concat(const Params& params, std::span<const TensorType> inputs) {
  const int axis = params.as<ConcatParams>().axis;
  TensorType y = inputs[0];
  for (std::size_t k = 1; k < inputs.size(); ++k) {
    const TensorType& x = inputs[k];
    require(x.dtype == y.dtype, ErrorKind::DType, "concat: expected operands of one dtype, got ", inputs[0], " and ",
            x);
    Shape expected = inputs[0].shape;
    if (x.shape.rank == expected.rank) expected[axis] = x.shape[axis];
    require(x.shape == expected, ErrorKind::Shape, "concat: operands must have equal shapes except in axis ", axis,
            ", got ", inputs[0].shape, " and ", x.shape);
    y.shape[axis] += x.shape[axis];
  }
  return {y};
}

void run_concat(const KernelArgs& args) {
  concat_boxes(args, [](const StridedCopy& box) { strided_copy(box); });
}

// Each operand's part of the gradient.
void concat_gradient(NodeGradient& node) {
  const int axis = node.params().as<ConcatParams>().axis;
  SliceParams part;
  for (int i = 0; i < kMaxRank; ++i) part.step[i] = 1;
  for (int k = 0; k < node.num_inputs(); ++k) {
    const Shape& x = node.input_shape(k);
    for (int i = 0; i < x.rank; ++i) part.size[i] = x[i];
    if (node.wants(k)) node.set(k, node.add(slice_op, Params(part), {node.upstream()}));
    part.begin[axis] += x[axis];
  }
}

constexpr KernelInfo kKernels[] = {
    {.name = "concat_any_ref", .run = run_concat, .bf16_picture = true, .bf16_result = true}};

}  // namespace

const Op concat_op{
    .name = "concat", .parse = parse_concat, .infer = infer_concat, .kernels = kKernels, .gradient = concat_gradient};

}  // namespace fastcnn

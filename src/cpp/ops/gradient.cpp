#include "ops/gradient.h"

#include "ops/rooms.h"

namespace fastcnn {

void no_gradient(NodeGradient&) {}

ValueId sum_to_shape(NodeGradient& node, ValueId gradient, const Shape& shape) {
  const Shape& from = node.type(gradient).shape;
  if (from == shape) return gradient;
  std::vector<std::int64_t> axes, sizes(shape.dims, shape.dims + shape.rank);
  const int added = from.rank - shape.rank;
  for (int i = 0; i < from.rank; ++i)
    if (i < added || (shape[i - added] == 1 && from[i] != 1)) axes.push_back(i);
  if (!axes.empty()) gradient = node.add(reduce_sum_op, {{"axis", axes}, {"keepdims", true}}, {gradient});
  return node.type(gradient).shape == shape ? gradient : node.add(reshape_op, {{"shape", sizes}}, {gradient});
}

void set_epilogue_gradients(NodeGradient& node, const Epilogue& epilogue, int first, ValueId upstream) {
  if (epilogue.bias) {
    if (node.wants(first)) node.set(first, sum_to_shape(node, upstream, node.input_shape(first)));
    ++first;
  }
  if (epilogue.residual) node.set(first, upstream);
}

}  // namespace fastcnn

#include <algorithm>

#include "graph/passes.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// Where the output channels are in the weights of a product: the shape that lets `scale` (channels,) broadcast over
// them; rank 0 when the op is not one we fold into.
Shape scale_shape(const Op& op, const Shape& weights, std::int64_t channels) {
  Shape s;
  if (&op == &conv2d_op || &op == &dense_op) {
    s.push_back(channels);  // last axis
  } else if (&op == &depthwise_conv2d_op) {
    s.push_back(weights[2]), s.push_back(weights[3]);
  } else if (&op == &conv2d_transpose_op && weights[2] == channels) {  // (kh, kw, out / groups, in), one group
    s.push_back(channels), s.push_back(1);
  }
  return s;
}

ValueId add_one(Graph& graph, const Op& op, const Attrs& attrs, const std::vector<ValueId>& in,
                const std::string& name) {
  return graph.add(op, attrs, in, name)[0];
}

// Appends the folded product; false if the node's input is not a product with constant weights that only it reads.
bool fold_into_product(Graph& graph, const std::vector<int>& uses, const Node& norm, ValueId scale, ValueId shift) {
  const Node* product = graph.producer(norm.inputs[0]);
  if (product == nullptr || product->op->epilogue == nullptr || uses[static_cast<std::size_t>(norm.inputs[0])] != 1)
    return false;
  Node folded = *product;
  Epilogue& epilogue = folded.op->epilogue(folded.params);
  if (epilogue.activation != Activation::Linear || epilogue.residual) return false;
  for (std::size_t i = 1; i < folded.inputs.size(); ++i)
    if (!graph.is_constant(folded.inputs[i])) return false;
  const Shape channels = graph.value(scale).type.shape;
  if (folded.inputs.size() < 2) return false;
  const Shape broadcast = scale_shape(*folded.op, graph.value(folded.inputs[1]).type.shape, channels[0]);
  if (broadcast.rank == 0) return false;

  Attrs reshape;
  reshape["shape"] = std::vector<std::int64_t>(broadcast.dims, broadcast.dims + broadcast.rank);
  const ValueId factor = add_one(graph, reshape_op, reshape, {scale}, norm.name);
  folded.inputs[1] = add_one(graph, mul_op, {}, {folded.inputs[1], factor}, norm.name);
  if (epilogue.bias) {
    const ValueId scaled = add_one(graph, mul_op, {}, {folded.inputs[2], scale}, norm.name);
    folded.inputs[2] = add_one(graph, add_op, {}, {scaled, shift}, norm.name);
  } else {
    folded.inputs.insert(folded.inputs.begin() + 2, shift);
    epilogue.bias = 1;
  }
  folded.outputs = norm.outputs;
  graph.append(std::move(folded));
  return true;
}

}  // namespace

void fold_batch_norm(Graph& graph) {
  const std::vector<int> uses = graph.count_uses();
  for (Node& node : graph.take_nodes()) {
    const std::vector<ValueId> statistics(node.inputs.begin() + (node.inputs.empty() ? 0 : 1), node.inputs.end());
    const bool constant =
        std::all_of(statistics.begin(), statistics.end(), [&](ValueId id) { return graph.is_constant(id); });
    if (node.op != &batch_norm_op || !constant) {
      graph.append(std::move(node));  // the kernel itself subtracts the mean first, which loses no digits
      continue;
    }
    const std::vector<ValueId> affine = graph.add(batch_norm_scale_shift_op, node.params, statistics, node.name);
    if (fold_into_product(graph, uses, node, affine[0], affine[1])) continue;
    const ValueId y = graph.add(scale_shift_op, Attrs{}, {node.inputs[0], affine[0], affine[1]}, node.name)[0];
    graph.replace(node.outputs[0], y);
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

#include <algorithm>

#include "graph/passes.h"
#include "ops/batch_norm/batch_norm.h"
#include "ops/dense/dense.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// Where the output channels are in the weights of a product: the shape that lets `scale` (channels,) broadcast over
// them; rank 0 when the op is not one we fold into.
Shape scale_shape(const Node& product, const Shape& weights, std::int64_t channels) {
  const Op* op = product.op;
  Shape s;
  if (op == &dense_op) {
    const auto& p = product.params.as<DenseParams>();
    s.push_back(channels);  // last axis, but first where a gradient reads the weights turned
    if (p.w_step != 1 || weights.back() != p.columns) s.push_back(1);
  } else if (op == &conv2d_op) {
    s.push_back(channels);  // last axis
  } else if (op == &depthwise_conv2d_op) {
    s.push_back(weights[2]), s.push_back(weights[3]);
  } else if (op == &conv2d_transpose_op && weights[2] == channels) {  // (kh, kw, out / groups, in), one group
    s.push_back(channels), s.push_back(1);
  }
  return s;
}

ValueId add_one(Graph& graph, const Op& op, const Attrs& attrs, const std::vector<ValueId>& in,
                const std::string& name) {
  return graph.add(op, attrs, in, name)[0];
}

constexpr ValueId kNone = -1;

// Appends the product that writes what `norm`, scale * x + shift by channels, made of its result x; false if x is not a
// product with constant weights that only `norm` reads. `shift` may be kNone.
bool fold_into_product(Graph& graph, const std::vector<int>& uses, const Node& norm, ValueId x, ValueId scale,
                       ValueId shift, const Epilogue& after = {}) {
  const Node* product = graph.producer(x);
  if (product == nullptr || product->op->epilogue == nullptr || uses[static_cast<std::size_t>(x)] != 1) return false;
  Node folded = *product;
  Epilogue& epilogue = folded.op->epilogue(folded.params);
  if (epilogue.activation != Activation::Linear || epilogue.residual) return false;
  for (std::size_t i = 1; i < folded.inputs.size(); ++i)
    if (!graph.is_constant(folded.inputs[i])) return false;
  const Shape channels = graph.value(scale).type.shape;
  if (folded.inputs.size() < 2) return false;
  const Shape broadcast = scale_shape(folded, graph.value(folded.inputs[1]).type.shape, channels[0]);
  if (broadcast.rank == 0) return false;

  Attrs reshape;
  reshape["shape"] = std::vector<std::int64_t>(broadcast.dims, broadcast.dims + broadcast.rank);
  const ValueId factor = add_one(graph, reshape_op, reshape, {scale}, norm.name);
  folded.inputs[1] = add_one(graph, mul_op, {}, {folded.inputs[1], factor}, norm.name);
  if (epilogue.bias) {
    folded.inputs[2] = add_one(graph, mul_op, {}, {folded.inputs[2], scale}, norm.name);
    if (shift != kNone) folded.inputs[2] = add_one(graph, add_op, {}, {folded.inputs[2], shift}, norm.name);
  } else if (shift != kNone) {
    folded.inputs.insert(folded.inputs.begin() + 2, shift);
    epilogue.bias = 1;
  }
  epilogue.activation = after.activation;
  epilogue.alpha = after.alpha;
  folded.outputs = norm.outputs;
  graph.append(std::move(folded));
  return true;
}

// x * factor with a constant factor, one number or one a channel: a residual branch that is scaled down. Whether the
// node was folded.
bool fold_factor(Graph& graph, const std::vector<int>& uses, Node& node) {
  if (node.op != &mul_op) return false;
  const int side = graph.is_constant(node.inputs[0]) ? 0 : 1;
  const ValueId factor = node.inputs[static_cast<std::size_t>(side)],
                x = node.inputs[static_cast<std::size_t>(1 - side)];
  const Shape &shape = graph.value(factor).type.shape, &y = graph.value(node.outputs[0]).type.shape;
  if (!graph.is_constant(factor) || graph.is_constant(x) || !(graph.value(x).type.shape == y) || y.rank == 0)
    return false;
  if (shape.size() != 1 && !(shape.size() == y.back() && shape.back() == y.back())) return false;
  Attrs one_axis, channels;
  one_axis["shape"] = std::vector<std::int64_t>{shape.size()};
  channels["shape"] = std::vector<std::int64_t>{y.back()};
  const ValueId flat = add_one(graph, reshape_op, one_axis, {factor}, node.name);
  const ValueId scale = add_one(graph, broadcast_to_op, channels, {flat}, node.name);
  return fold_into_product(graph, uses, node, x, scale, kNone, node.op->epilogue(node.params));
}

}  // namespace

void fold_scales(Graph& graph) {
  const std::vector<int> uses = graph.count_uses();
  for (Node& node : graph.take_nodes()) {
    if (fold_factor(graph, uses, node)) continue;
    const std::vector<ValueId> statistics(node.inputs.begin() + (node.inputs.empty() ? 0 : 1), node.inputs.end());
    const bool constant =
        std::all_of(statistics.begin(), statistics.end(), [&](ValueId id) { return graph.is_constant(id); });
    if (node.op != &batch_norm_op || !constant) {
      graph.append(std::move(node));  // the kernel itself subtracts the mean first, which loses no digits
      continue;
    }
    const std::vector<ValueId> affine = graph.add(batch_norm_scale_shift_op, node.params, statistics, node.name);
    if (fold_into_product(graph, uses, node, node.inputs[0], affine[0], affine[1])) continue;
    // Keeps the name of the result: what reads it is looked at next, and asks the graph who made it.
    graph.append({.op = &scale_shift_op,
                  .params = Params(ScaleShiftParams{}),
                  .inputs = {node.inputs[0], affine[0], affine[1]},
                  .outputs = node.outputs,
                  .name = node.name});
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

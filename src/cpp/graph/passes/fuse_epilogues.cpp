#include "graph/passes.h"
#include "ops/activation/activation.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// The producer of `id` if its epilogue may still take something more: nobody else reads the value.
const Node* open_producer(const Graph& graph, const std::vector<int>& uses, ValueId id) {
  const Node* node = graph.producer(id);
  if (node == nullptr || node->op->epilogue == nullptr || uses[static_cast<std::size_t>(id)] != 1) return nullptr;
  Params params = node->params;
  return node->op->epilogue(params).activation == Activation::Linear ? node : nullptr;
}

// A copy of `product` that writes what `tail` wrote, with its epilogue changed.
template <class Change>
Node absorb(const Node& product, const Node& tail, const Change& change) {
  Node fused = product;
  fused.outputs = tail.outputs;
  change(fused, fused.op->epilogue(fused.params));
  return fused;
}

bool takes_residual(const Op& op) {
  return &op == &conv2d_op || &op == &conv2d_transpose_op || &op == &depthwise_conv2d_op || &op == &dense_op;
}

bool fuse_activation(Graph& graph, const std::vector<int>& uses, const Node& node) {
  if (node.op != &activation_op) return false;
  const Node* product = open_producer(graph, uses, node.inputs[0]);
  if (product == nullptr) return false;
  const auto& act = node.params.as<ActivationParams>();
  graph.append(absorb(*product, node, [&](Node&, Epilogue& e) {
    e.activation = act.kind;
    e.alpha = act.alpha;
  }));
  return true;
}

bool fuse_residual(Graph& graph, const std::vector<int>& uses, const Node& node) {
  if (node.op != &add_op || node.inputs[0] == node.inputs[1]) return false;
  Params params = node.params;
  const Epilogue after = node.op->epilogue(params);
  const TensorType& sum = graph.value(node.outputs[0]).type;
  // Prefer the later product: the other operand exists by then in any case.
  int side = -1;
  for (int i = 0; i < 2; ++i) {
    const ValueId mine = node.inputs[static_cast<std::size_t>(i)], other = node.inputs[static_cast<std::size_t>(1 - i)];
    const Node* product = open_producer(graph, uses, mine);
    if (product == nullptr || !takes_residual(*product->op)) continue;
    Params copy = product->params;
    if (product->op->epilogue(copy).residual || !(graph.value(mine).type == sum) || !(graph.value(other).type == sum))
      continue;
    if (side < 0 || graph.value(mine).index > graph.value(node.inputs[static_cast<std::size_t>(side)]).index) side = i;
  }
  if (side < 0) return false;
  const Node* product = graph.producer(node.inputs[static_cast<std::size_t>(side)]);
  const ValueId residual = node.inputs[static_cast<std::size_t>(1 - side)];
  graph.append(absorb(*product, node, [&](Node& fused, Epilogue& e) {
    e.residual = 1;
    e.activation = after.activation;
    e.alpha = after.alpha;
    fused.inputs.push_back(residual);
  }));
  return true;
}

}  // namespace

void fuse_epilogues(Graph& graph) {
  // Uses are counted once: fusing moves a use from the tail's input to its output, which keeps every count.
  const std::vector<int> uses = graph.count_uses();
  for (Node& node : graph.take_nodes())
    if (!fuse_activation(graph, uses, node) && !fuse_residual(graph, uses, node)) graph.append(std::move(node));
  graph.finish_rewrite();
}

}  // namespace fastcnn

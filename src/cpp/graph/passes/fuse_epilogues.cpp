#include "graph/passes.h"
#include "ops/activation/activation.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// The producer of `id` if its epilogue may still take something more: nobody else reads the value.
const Node* open_producer(const Graph& graph, const std::vector<int>& uses, ValueId id) {
  if (uses[static_cast<std::size_t>(id)] != 1) return nullptr;
  id = graph.resolve(id);
  const Node* node = graph.producer(id);
  if (node == nullptr || node->op->epilogue == nullptr || node->outputs[0] != id) return nullptr;
  Params params = node->params;
  return node->op->epilogue(params).activation == Activation::Linear ? node : nullptr;
}

// `product` takes over what `tail` did, its epilogue being changed. It moves to the tail's place, where all its new
// operands exist; one with several results stays, because others may read these before.
template <class Change>
void absorb(Graph& graph, const Node& product, const Node& tail, const Change& change) {
  if (product.outputs.size() == 1) {
    Node fused = product;
    fused.outputs = tail.outputs;
    change(fused, fused.op->epilogue(fused.params));
    return graph.append(std::move(fused));
  }
  Node& fused = graph.nodes()[static_cast<std::size_t>(graph.value(product.outputs[0]).index)];
  change(fused, fused.op->epilogue(fused.params));
  graph.replace(tail.outputs[0], fused.outputs[0]);
}

// Whether `id` is computed before `product`.
bool exists_at(const Graph& graph, const Node& product, ValueId id) {
  return graph.producer(id) == nullptr || graph.value(id).index < graph.value(product.outputs[0]).index;
}

bool takes_residual(const Op& op) {
  return &op == &conv2d_op || &op == &conv2d_transpose_op || &op == &depthwise_conv2d_op || &op == &dense_op ||
         &op == &batch_norm_training_op;
}

bool fuse_activation(Graph& graph, const std::vector<int>& uses, const Node& node) {
  if (node.op != &activation_op) return false;
  const Node* product = open_producer(graph, uses, node.inputs[0]);
  if (product == nullptr) return false;
  const auto& act = node.params.as<ActivationParams>();
  absorb(graph, *product, node, [&](Node&, Epilogue& e) {
    e.activation = act.kind;
    e.alpha = act.alpha;
  });
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
    const ValueId mine = graph.resolve(node.inputs[static_cast<std::size_t>(i)]);
    const ValueId other = graph.resolve(node.inputs[static_cast<std::size_t>(1 - i)]);
    const Node* product = open_producer(graph, uses, node.inputs[static_cast<std::size_t>(i)]);
    if (product == nullptr || !takes_residual(*product->op)) continue;
    if (product->outputs.size() > 1 && !exists_at(graph, *product, other)) continue;
    Params copy = product->params;
    if (product->op->epilogue(copy).residual || !(graph.value(mine).type == sum) || !(graph.value(other).type == sum))
      continue;
    const auto place = [&](int k) {
      return graph.value(graph.resolve(node.inputs[static_cast<std::size_t>(k)])).index;
    };
    if (side < 0 || place(i) > place(side)) side = i;
  }
  if (side < 0) return false;
  const Node* product = graph.producer(graph.resolve(node.inputs[static_cast<std::size_t>(side)]));
  const ValueId residual = graph.resolve(node.inputs[static_cast<std::size_t>(1 - side)]);
  absorb(graph, *product, node, [&](Node& fused, Epilogue& e) {
    e.residual = 1;
    e.activation = after.activation;
    e.alpha = after.alpha;
    fused.inputs.push_back(residual);
  });
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

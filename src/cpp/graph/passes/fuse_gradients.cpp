#include "graph/passes.h"
#include "ops/activation/activation.h"
#include "ops/batch_norm/batch_norm_training.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// The activation's gradient that `node` alone reads as its dy, if batch_norm_gradient can undo that activation.
const Node* fusible_activation(const Graph& graph, const std::vector<int>& uses, const Node& node) {
  if (node.op != &batch_norm_gradient_op) return nullptr;
  const ValueId dz = graph.resolve(node.inputs[1]);
  const Node* inner = graph.producer(dz);
  if (node.params.as<BatchNormGradientParams>().activation != Activation::Linear || inner == nullptr ||
      inner->op != &activation_gradient_op || uses[static_cast<std::size_t>(dz)] != 1)
    return nullptr;
  const auto& act = inner->params.as<ActivationParams>();
  const bool taken = act.kind == Activation::Relu || act.kind == Activation::Relu6 ||
                     (act.kind == Activation::LeakyRelu && act.alpha >= 0.0f);
  return taken ? inner : nullptr;
}

}  // namespace

void fuse_gradients(Graph& graph) {
  const std::vector<int> uses = graph.count_uses();
  for (Node& node : graph.take_nodes()) {
    if (const Node* inner = fusible_activation(graph, uses, node)) {
      const auto& act = inner->params.as<ActivationParams>();
      auto& p = node.params.edit<BatchNormGradientParams>();
      p.activation = act.kind;
      p.alpha = act.alpha;
      node.inputs[1] = inner->inputs[1];
      node.inputs.push_back(inner->inputs[0]);
    }
    graph.append(std::move(node));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

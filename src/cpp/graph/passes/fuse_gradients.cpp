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

// The batch_norm_training that made both the activated result `y` and the statistics of `node`, with nothing added
// between: its activation can be found again from x.
const Node* source_of(const Graph& graph, const Node& node, ValueId y, const ActivationParams& act) {
  const auto& p = node.params.as<BatchNormGradientParams>();
  const ValueId mean = node.inputs[static_cast<std::size_t>(2 + p.scale)];
  const Node* forward = graph.producer(graph.resolve(y));
  if (forward == nullptr || forward->op != &batch_norm_training_op || forward != graph.producer(graph.resolve(mean)))
    return nullptr;
  const Epilogue& e = forward->params.as<BatchNormTrainingParams>().epilogue;
  return !e.residual && e.activation == act.kind && e.alpha == act.alpha ? forward : nullptr;
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
      if (const Node* forward = source_of(graph, node, inner->inputs[0], act)) {
        p.from_x = 1;
        node.inputs.push_back(forward->outputs[4]);
      } else {
        node.inputs.push_back(inner->inputs[0]);
      }
    }
    graph.append(std::move(node));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

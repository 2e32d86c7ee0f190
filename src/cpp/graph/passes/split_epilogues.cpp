#include "graph/passes.h"
#include "ops/activation/activation.h"
#include "ops/rooms.h"

namespace fastcnn {

void split_epilogues(Graph& graph) {
  for (Node& node : graph.take_nodes()) {
    if (node.op->epilogue == nullptr || node.op == &activation_op) {
      graph.append(std::move(node));
      continue;
    }
    Epilogue& epilogue = node.op->epilogue(node.params);
    const ActivationParams act{epilogue.activation, epilogue.alpha};
    if (act.kind == Activation::Linear) {
      graph.append(std::move(node));
      continue;
    }
    epilogue.activation = Activation::Linear;
    epilogue.alpha = 0.0f;
    const ValueId result = node.outputs[0];
    graph.add(*node.op, node.params, node.inputs, node.name);
    Node bare = std::move(graph.nodes().back());
    graph.nodes().pop_back();
    const ValueId before = bare.outputs[0];
    bare.outputs = node.outputs;  // the others stay who they are
    bare.outputs[0] = before;
    graph.append(std::move(bare));
    graph.append(
        {.op = &activation_op, .params = Params(act), .inputs = {before}, .outputs = {result}, .name = node.name});
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

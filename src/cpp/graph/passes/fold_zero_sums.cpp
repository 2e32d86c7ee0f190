#include <cstring>

#include "graph/passes.h"
#include "ops/batch_norm/batch_norm_training.h"
#include "ops/reduce/reduce.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// Whether `node` adds up, for each channel, what batch normalisation in training makes of a gradient: it has taken out
// what all pixels of a channel have in common.
bool sums_to_zero(const Graph& graph, const Node& node) {
  if (node.op != &reduce_sum_op) return false;
  const ValueId x = graph.resolve(node.inputs[0]);
  const Node* norm = graph.producer(x);
  if (norm == nullptr || norm->op != &batch_norm_gradient_op || norm->outputs[0] != x ||
      norm->params.as<BatchNormGradientParams>().training == 0)
    return false;
  const int pixels = (1 << (graph.value(x).type.shape.rank - 1)) - 1;
  return (node.params.as<ReduceParams>().axes & pixels) == pixels;
}

}  // namespace

void fold_zero_sums(Graph& graph) {
  for (Node& node : graph.take_nodes()) {
    if (!sums_to_zero(graph, node)) {
      graph.append(std::move(node));
      continue;
    }
    const TensorType& type = graph.value(node.outputs[0]).type;
    auto zeros = std::make_shared<Constant>(Constant{type, Buffer(type.bytes()), cat("zeros ", type)});
    std::memset(zeros->buffer.data(), 0, static_cast<std::size_t>(type.bytes()));
    graph.replace(node.outputs[0], graph.add_constant(std::move(zeros)));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

#include "graph/passes.h"

namespace fastcnn {

void remove_dead_nodes(Graph& graph) {
  std::vector<bool> live(static_cast<std::size_t>(graph.num_values()), false);
  const auto mark = [&](ValueId id) { live[static_cast<std::size_t>(id)] = true; };
  for (const ValueId id : graph.results()) mark(id);

  std::vector<Node> nodes = graph.take_nodes();
  std::vector<bool> keep(nodes.size(), false);
  for (std::size_t i = nodes.size(); i-- > 0;) {
    for (const ValueId id : nodes[i].outputs) keep[i] = keep[i] || live[static_cast<std::size_t>(id)];
    if (keep[i])
      for (const ValueId id : nodes[i].inputs) mark(id);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (keep[i]) graph.append(std::move(nodes[i]));
  graph.finish_rewrite();
}

}  // namespace fastcnn

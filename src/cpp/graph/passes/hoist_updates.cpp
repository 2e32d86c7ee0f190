#include <algorithm>
#include <numeric>

#include "graph/passes.h"

namespace fastcnn {
namespace {

// Whether all that reads a node's results leads to updates and to no output, by node.
std::vector<bool> find_update_only(const Graph& graph) {
  std::vector<bool> elsewhere(static_cast<std::size_t>(graph.num_values()), false);
  for (const ValueId id : graph.outputs()) elsewhere[static_cast<std::size_t>(id)] = true;
  std::vector<bool> only(graph.nodes().size(), true);
  for (std::size_t i = only.size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    for (const ValueId id : node.outputs) only[i] = only[i] && !elsewhere[static_cast<std::size_t>(id)];
    if (!only[i])
      for (const ValueId id : node.inputs) elsewhere[static_cast<std::size_t>(id)] = true;
  }
  return only;
}

}  // namespace

void hoist_updates(Graph& graph) {
  if (graph.updates().empty()) return;
  const std::vector<bool> only = find_update_only(graph);
  std::vector<ValueId> target(static_cast<std::size_t>(graph.num_values()), -1);  // the variable a value updates
  for (const Update& u : graph.updates()) target[static_cast<std::size_t>(u.value)] = u.variable;

  // After which node each may come: the last of those whose results it reads and, where it makes a variable's new
  // value, of those that read the old one.
  std::vector<int> after(only.size()), last_reader(target.size(), -1);
  for (std::size_t i = 0; i < only.size(); ++i) {
    const Node& node = graph.nodes()[i];
    after[i] = only[i] ? -1 : static_cast<int>(i);
    if (only[i]) {
      for (const ValueId id : node.inputs)
        if (graph.value(id).source == Source::Node)
          after[i] = std::max(after[i], after[static_cast<std::size_t>(graph.value(id).index)]);
      for (const ValueId id : node.outputs)
        if (const ValueId variable = target[static_cast<std::size_t>(id)]; variable >= 0)
          after[i] = std::max(after[i], last_reader[static_cast<std::size_t>(variable)]);
    }
    for (const ValueId id : node.inputs) {
      int& last = last_reader[static_cast<std::size_t>(id)];
      last = std::max(last, after[i]);
    }
  }

  std::vector<std::size_t> order(only.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return after[a] < after[b]; });
  std::vector<Node> nodes = graph.take_nodes();
  for (const std::size_t i : order) graph.append(std::move(nodes[i]));
  graph.finish_rewrite();
}

}  // namespace fastcnn

#include "graph/recompute.h"

#include <algorithm>
#include <cmath>

namespace fastcnn {
namespace {

// For each place between two nodes, the values that were made before it and are read after it.
class Crossings {
 public:
  explicit Crossings(const Graph& graph) : graph_(graph), last_(static_cast<std::size_t>(graph.num_values()), -1) {
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
      for (const ValueId id : graph.nodes()[i].inputs) last_[static_cast<std::size_t>(id)] = static_cast<int>(i);
  }

  bool crosses(ValueId id, int place) const {
    const Value& v = graph_.value(id);
    return v.source == Source::Node && v.index < place && last_[static_cast<std::size_t>(id)] >= place;
  }

  std::int64_t bytes(int place) const {
    std::int64_t total = 0;
    for (ValueId id = 0; id < graph_.num_values(); ++id)
      if (crosses(id, place)) total += graph_.value(id).type.bytes();
    return total;
  }

 private:
  const Graph& graph_;
  std::vector<int> last_;  // by value: the last node that reads it
};

// Places to cut: each segment makes about as many bytes as the others, and is cut where the least has to be kept.
std::vector<int> find_cuts(const Graph& graph, const Crossings& crossings) {
  const int nodes = static_cast<int>(graph.nodes().size());
  std::vector<std::int64_t> made(1, 0);  // bytes of all results before each place
  for (const Node& node : graph.nodes()) {
    made.push_back(made.back());
    for (const ValueId id : node.outputs) made.back() += graph.value(id).type.bytes();
  }
  const int segments = std::max(1, static_cast<int>(std::sqrt(nodes)));
  const std::int64_t share = made.back() / segments;
  std::vector<int> cuts;
  for (int s = 1; s < segments; ++s) {
    const auto place = [&](std::int64_t bytes) {
      return static_cast<int>(std::lower_bound(made.begin(), made.end(), bytes) - made.begin());
    };
    const int first = std::max(1, place(share * s - share / 2)), last = std::min(nodes, place(share * s + share / 2));
    int best = first;
    for (int at = first; at <= last; ++at)
      if (crossings.bytes(at) < crossings.bytes(best)) best = at;
    cuts.push_back(best);
  }
  return cuts;
}

}  // namespace

std::vector<bool> find_kept(const Graph& graph, Recompute recompute) {
  const auto count = static_cast<std::size_t>(graph.num_values());
  if (recompute == Recompute::Nothing) return std::vector<bool>(count, true);
  std::vector<bool> kept(count, false);
  for (ValueId id = 0; id < graph.num_values(); ++id) {
    const Node* producer = graph.producer(id);
    kept[static_cast<std::size_t>(id)] =
        producer == nullptr || (recompute == Recompute::Activations && producer->op->flops != nullptr);
  }
  if (recompute == Recompute::Segments) {
    const Crossings crossings(graph);
    for (const int cut : find_cuts(graph, crossings))
      for (ValueId id = 0; id < graph.num_values(); ++id)
        if (crossings.crosses(id, cut)) kept[static_cast<std::size_t>(id)] = true;
  }
  return kept;
}

}  // namespace fastcnn

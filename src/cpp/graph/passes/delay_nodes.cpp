#include <algorithm>
#include <unordered_set>

#include "graph/passes.h"

namespace fastcnn {
namespace {

// A node is delayed if, while its results would wait, its operands take at most this share of their memory.
constexpr std::int64_t kShare = 8;

// Where nodes go: each keeps its place, or goes before the first that reads what it makes.
class Delays {
 public:
  explicit Delays(const Graph& graph)
      : graph_(graph),
        count_(static_cast<int>(graph.nodes().size())),
        place_(graph.nodes().size()),
        readers_(static_cast<std::size_t>(graph.num_values())),
        memory_(readers_.size()) {
    for (std::size_t id = 0; id < memory_.size(); ++id) memory_[id] = static_cast<ValueId>(id);
    for (int i = 0; i < count_; ++i) {
      place_[static_cast<std::size_t>(i)] = i;
      for (const ValueId id : node(i).inputs) readers_[static_cast<std::size_t>(id)].push_back(i);
      if (!node(i).op->is_view) continue;
      memory_[static_cast<std::size_t>(node(i).outputs[0])] = memory(node(i).inputs[0]);
    }
    for (int i = 0; i < count_; ++i)  // who reads a view reads what it is of
      for (const ValueId id : node(i).inputs)
        if (memory(id) != id) readers_[static_cast<std::size_t>(memory(id))].push_back(i);
    for (const ValueId id : graph.results()) kept_.insert({id, memory(id)});
    for (int i = count_; i-- > 0;) {  // readers first
      const int wanted = first_reader(i);
      if (wanted > i && pays(i, wanted)) place_[static_cast<std::size_t>(i)] = wanted;
    }
  }

  // The places of the nodes; those of one place keep their order.
  const std::vector<int>& places() const { return place_; }

 private:
  const Node& node(int i) const { return graph_.nodes()[static_cast<std::size_t>(i)]; }
  int place(int i) const { return place_[static_cast<std::size_t>(i)]; }
  ValueId memory(ValueId id) const { return memory_[static_cast<std::size_t>(id)]; }
  std::int64_t bytes(ValueId id) const { return graph_.value(id).type.bytes(); }

  // Where the first reader of the node's results is; -1 if one of them is a result of the graph.
  int first_reader(int i) const {
    int first = count_;
    for (const ValueId id : node(i).outputs) {
      if (kept_.contains(id)) return -1;
      for (const int reader : readers_[static_cast<std::size_t>(id)]) first = std::min(first, place(reader));
    }
    return first < count_ ? first : -1;
  }

  // Whether less memory waits if the node runs at `wanted`: operands that nobody else reads so late wait for it then.
  bool pays(int i, int wanted) const {
    std::int64_t made = 0, waiting = 0;
    for (const ValueId id : node(i).outputs) made += bytes(id);
    for (const ValueId operand : node(i).inputs) {
      const ValueId id = memory(operand);
      if (graph_.is_constant(id) || kept_.contains(id)) continue;
      const auto& readers = readers_[static_cast<std::size_t>(id)];
      const bool read_later =
          std::any_of(readers.begin(), readers.end(), [&](int r) { return r != i && place(r) >= wanted; });
      if (!read_later) waiting += bytes(id);
    }
    return node(i).op->is_view || waiting * kShare <= made;
  }

  const Graph& graph_;
  int count_;
  std::vector<int> place_;
  std::vector<std::vector<int>> readers_;  // by value, those of its views included
  std::vector<ValueId> memory_;            // by value: what it is a view of, or itself
  std::unordered_set<ValueId> kept_;       // results of the graph
};

}  // namespace

void delay_nodes(Graph& graph) {
  const std::vector<int> places = Delays(graph).places();
  std::vector<std::size_t> order(places.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  std::vector<Node> nodes = graph.take_nodes();
  for (const std::size_t i : order) graph.append(std::move(nodes[i]));
  graph.finish_rewrite();
}

}  // namespace fastcnn

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "graph/passes.h"

namespace fastcnn {
namespace {

// A node is delayed if, while its results would wait, its operands take at most this share of their memory.
constexpr std::int64_t kShare = 8;
// The most memory that is alive at one time must fall by this factor, or the graph stays as it is.
constexpr double kGain = 1.05;

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

  // The nodes in their new order: by place, those of one place as they were.
  std::vector<int> order() const {
    std::vector<int> order = identity();
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return place(a) < place(b); });
    return order;
  }

  std::vector<int> identity() const {
    std::vector<int> order(place_.size());
    std::iota(order.begin(), order.end(), 0);
    return order;
  }

  // The most bytes that live at one time if the nodes run in an order.
  std::int64_t peak(const std::vector<int>& order) const {
    std::vector<int> first(memory_.size(), -1), last(memory_.size(), -1);
    for (int at = 0; at < count_; ++at) {
      const Node& n = node(order[static_cast<std::size_t>(at)]);
      for (const ValueId id : n.inputs) last[static_cast<std::size_t>(memory(id))] = at;
      for (const ValueId id : n.outputs)
        if (memory(id) == id) first[static_cast<std::size_t>(id)] = last[static_cast<std::size_t>(id)] = at;
    }
    std::vector<std::int64_t> change(static_cast<std::size_t>(count_) + 1, 0);
    for (std::size_t id = 0; id < first.size(); ++id) {
      if (first[id] < 0) continue;
      const auto value = static_cast<ValueId>(id);
      change[static_cast<std::size_t>(first[id])] += bytes(value);
      if (!kept_.contains(value)) change[static_cast<std::size_t>(last[id]) + 1] -= bytes(value);
    }
    std::int64_t now = 0, most = 0;
    for (const std::int64_t c : change) most = std::max(most, now += c);
    return most;
  }

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
  const Delays delays(graph);
  const std::vector<int> order = delays.order();
  // Memory is shared in ways that are not known here: what gains little may lose.
  if (kGain * static_cast<double>(delays.peak(order)) >= static_cast<double>(delays.peak(delays.identity()))) return;
  std::vector<Node> nodes = graph.take_nodes();
  for (const int i : order) graph.append(std::move(nodes[static_cast<std::size_t>(i)]));
  graph.finish_rewrite();
}

}  // namespace fastcnn

#include <algorithm>

#include "ops/rooms.h"
#include "plan/stages.h"

namespace fastcnn {
namespace {

// A stretch of memory that one or several values share (a value, its views, results written over it, operands of a
// concatenation inside its result). Lives from step `first` to step `last`.
struct Storage {
  Place place = Place::Arena;
  int index = 0;
  std::int64_t bytes = 0;
  int first = 0, last = -1;
  std::int64_t offset = -1;
};

class Planner {
 public:
  Planner(const Graph& graph, std::span<const std::int64_t> workspace_bytes, std::span<const int> stored_index)
      : graph_(graph),
        stored_index_(stored_index),
        home_(static_cast<std::size_t>(graph.num_values()), {-1, 0}),
        last_use_(home_.size(), -1) {
    find_last_uses();
    place_external_values();
    place_outputs();
    for (int i = 0; i < num_nodes(); ++i) place_results(i);
    extend_lifetimes();
    plan_.workspaces.resize(static_cast<std::size_t>(num_nodes()), 0);
    assign_offsets(workspace_bytes);
    finish();
  }

  MemoryPlan take() { return std::move(plan_); }

 private:
  struct Home {
    int storage;
    std::int64_t offset;
    std::int64_t pitch = 0;
  };

  int num_nodes() const { return static_cast<int>(graph_.nodes().size()); }
  const Node& node(int i) const { return graph_.nodes()[static_cast<std::size_t>(i)]; }
  Home& home(ValueId id) { return home_[static_cast<std::size_t>(id)]; }
  Storage& storage(ValueId id) { return storages_[static_cast<std::size_t>(home(id).storage)]; }
  int& last_use(ValueId id) { return last_use_[static_cast<std::size_t>(id)]; }
  std::int64_t bytes(ValueId id) const { return graph_.value(id).type.bytes(); }

  void new_storage(ValueId id, Place place, int index, int first) {
    home(id) = {static_cast<int>(storages_.size()), 0};
    storages_.push_back({place, index, bytes(id), first, first, -1});
  }

  void find_last_uses() {
    for (int i = 0; i < num_nodes(); ++i)
      for (const ValueId id : node(i).inputs) last_use(id) = i;
    for (const ValueId id : graph_.results()) last_use(id) = num_nodes();
  }

  void place_external_values() {
    for (ValueId id = 0; id < graph_.num_values(); ++id) {
      const Value& v = graph_.value(id);
      if (v.source == Source::Input) new_storage(id, Place::Input, v.index, -1);
      if (v.source == Source::Constant || v.source == Source::Variable)
        new_storage(id, Place::Stored, stored_index_[static_cast<std::size_t>(id)], -1);
    }
  }

  // The producer of a graph output writes into the caller's array, except where the value is a view or is asked for
  // twice.
  void place_outputs() {
    for (int k = 0; k < static_cast<int>(graph_.outputs().size()); ++k) {
      const ValueId id = graph_.outputs()[static_cast<std::size_t>(k)];
      const Node* producer = graph_.producer(id);
      if (home(id).storage < 0 && producer != nullptr && !producer->op->is_view) new_storage(id, Place::Output, k, -1);
    }
  }

  void place_results(int i) {
    const Node& n = node(i);
    for (std::size_t k = 0; k < n.outputs.size(); ++k) {
      const ValueId out = n.outputs[k];
      if (home(out).storage < 0) {
        if (n.op->is_view || can_overwrite(n, k, i)) {
          home(out) = home(n.inputs[k]);
          continue;
        }
        new_storage(out, Place::Arena, 0, i);
      }
      if (n.op == &concat_op) move_operands_into(n, out);
    }
  }

  // Result k may take the memory of operand k if this is its last use under any name.
  bool can_overwrite(const Node& n, std::size_t k, int i) {
    if (static_cast<int>(k) >= n.op->in_place_operands && !(k == 0 && kernel_overwrites(n))) return false;
    const ValueId in = n.inputs[k], out = n.outputs[k];
    const bool own = storage(in).place == Place::Arena || (storage(in).place == Place::Stored && updates(in, out));
    if (!own || bytes(in) != bytes(out) || storage(in).bytes != bytes(in)) return false;
    for (std::size_t other = 0; other < n.inputs.size(); ++other)
      if (other != k && home(n.inputs[other]).storage == home(in).storage) return false;
    for (ValueId id = 0; id < graph_.num_values(); ++id)
      if (home(id).storage == home(in).storage && last_use(id) > i) return false;
    return true;
  }

  bool kernel_overwrites(const Node& n) const {
    if (n.kernel == nullptr || n.kernel->in_place == nullptr) return false;
    const std::vector<TensorType> in = types_of(graph_, n.inputs), out = types_of(graph_, n.outputs);
    return n.kernel->in_place(
        {n.params, in.data(), out.data(), static_cast<int>(in.size()), static_cast<int>(out.size())});
  }

  bool updates(ValueId variable, ValueId value) const {
    return std::any_of(graph_.updates().begin(), graph_.updates().end(),
                       [&](const Update& u) { return u.variable == variable && u.value == value; });
  }

  // Operands of a concatenation are produced in their place in its result: one after the other where nothing but ones
  // is before its axis, else, of channels, side by side in every pixel. Operands that are views, outputs, shared or
  // already placed stay and are copied.
  void move_operands_into(const Node& n, ValueId out) {
    const Shape& shape = graph_.value(out).type.shape;
    std::int64_t total = 0;
    for (const ValueId id : n.inputs) total += bytes(id);
    if (total != bytes(out)) return;
    const bool contiguous = contiguous_parts(n, shape);
    if (!contiguous && !pixel_parts(n, shape)) return;
    std::int64_t offset = 0;
    for (const ValueId id : n.inputs) {
      const bool own = storage(id).place == Place::Arena && storage(id).bytes == bytes(id) && home(id).offset == 0 &&
                       offset % kAlignment == 0 && home(id).storage != home(out).storage;
      if (own && (contiguous || takes_pitch(home(id).storage, n))) {
        const int old = home(id).storage;
        storage(out).first = std::min(storage(out).first, storage(id).first);
        for (Home& h : home_)
          if (h.storage == old) h = {home(out).storage, offset + h.offset, contiguous ? 0 : shape[3]};
      }
      offset += contiguous ? bytes(id) : graph_.value(id).type.shape[3] * item_size(graph_.value(id).type.dtype);
    }
  }

  bool contiguous_parts(const Node& n, const Shape& out) const {
    int axis = 0;
    const Shape& first = graph_.value(n.inputs[0]).type.shape;
    while (axis < out.rank && first[axis] == out[axis]) ++axis;
    return out.product(0, axis) == 1;
  }

  // A concatenation of channels whose parts are whole cache lines of every pixel.
  bool pixel_parts(const Node& n, const Shape& out) const {
    if (out.rank != 4) return false;
    std::int64_t channels = 0;
    for (const ValueId id : n.inputs) {
      const TensorType& type = graph_.value(id).type;
      if (type.shape[3] * item_size(type.dtype) % kAlignment != 0) return false;
      channels += type.shape[3];
    }
    return channels == out[3];
  }

  // Whether all who write and read the memory, besides the concatenation `n`, take pixels that lie apart.
  bool takes_pitch(int storage, const Node& n) const {
    const auto inside = [&](ValueId id) { return home_[static_cast<std::size_t>(id)].storage == storage; };
    for (const Node& node : graph_.nodes()) {
      if (&node == &n) continue;
      const KernelInfo* kernel = node.kernel;
      for (std::size_t k = 0; k < node.inputs.size(); ++k)
        if (inside(node.inputs[k]) && (k != 0 || kernel == nullptr || !kernel->pitched_picture)) return false;
      if (std::none_of(node.outputs.begin(), node.outputs.end(), inside)) continue;
      if (kernel == nullptr || !kernel->pitched_result) return false;
      Params params = node.params;
      if (node.op->epilogue != nullptr && node.op->epilogue(params).residual) return false;
    }
    return true;
  }

  void extend_lifetimes() {
    for (ValueId id = 0; id < graph_.num_values(); ++id)
      if (home(id).storage >= 0) storage(id).last = std::max(storage(id).last, last_use(id));
  }

  // Largest first, each at the lowest offset that is free for its whole life.
  void assign_offsets(std::span<const std::int64_t> workspace_bytes) {
    std::vector<std::pair<Storage, int>> blocks;  // with the storage's index, or ~node for a workspace
    for (int s = 0; s < static_cast<int>(storages_.size()); ++s) {
      const Storage& st = storages_[static_cast<std::size_t>(s)];
      if (st.place == Place::Arena && is_used(s)) blocks.emplace_back(st, s);
    }
    for (int i = 0; i < num_nodes(); ++i)
      if (const std::int64_t b = workspace_bytes[static_cast<std::size_t>(i)]; b > 0)
        blocks.emplace_back(Storage{Place::Arena, 0, b, i, i, -1}, ~i);
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const auto& a, const auto& b) { return a.first.bytes > b.first.bytes; });

    std::vector<const Storage*> placed;  // by offset
    for (auto& [block, owner] : blocks) {
      std::int64_t offset = 0;
      for (const Storage* p : placed) {
        const bool together = p->first <= block.last && block.first <= p->last;
        if (!together) continue;
        if (offset + block.bytes <= p->offset) break;
        offset = std::max(offset, round_up(p->offset + p->bytes, kAlignment));
      }
      block.offset = offset;
      plan_.arena_bytes = std::max(plan_.arena_bytes, offset + block.bytes);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                     [](const Storage* a, const Storage* b) { return a->offset < b->offset; }),
                    &block);
      if (owner >= 0)
        storages_[static_cast<std::size_t>(owner)].offset = offset;
      else
        plan_.workspaces[static_cast<std::size_t>(~owner)] = offset;
    }
  }

  bool is_used(int s) const {
    return std::any_of(home_.begin(), home_.end(), [&](const Home& h) { return h.storage == s; });
  }

  void finish() {
    plan_.values.resize(home_.size());
    for (ValueId id = 0; id < graph_.num_values(); ++id) {
      if (home(id).storage < 0) continue;
      const Storage& s = storage(id);
      const std::int64_t base = s.place == Place::Arena ? s.offset : 0;
      plan_.values[static_cast<std::size_t>(id)] = {s.place, s.index, base + home(id).offset, home(id).pitch};
    }
    for (int k = 0; k < static_cast<int>(graph_.outputs().size()); ++k)
      copy_unless_there(graph_.outputs()[static_cast<std::size_t>(k)], {Place::Output, k});
    for (const Update& u : graph_.updates())
      copy_unless_there(u.value, plan_.values[static_cast<std::size_t>(u.variable)]);
  }

  void copy_unless_there(ValueId id, const Location& to) {
    const Location& at = plan_.values[static_cast<std::size_t>(id)];
    if (at.place != to.place || at.index != to.index) plan_.copies.push_back({at, to, bytes(id)});
  }

  const Graph& graph_;
  std::span<const int> stored_index_;
  std::vector<Home> home_;
  std::vector<int> last_use_;
  std::vector<Storage> storages_;
  MemoryPlan plan_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& graph, std::span<const std::int64_t> workspace_bytes,
                       std::span<const int> stored_index) {
  return Planner(graph, workspace_bytes, stored_index).take();
}

}  // namespace fastcnn

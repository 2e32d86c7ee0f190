#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "plan/stages.h"

namespace fastcnn {
namespace {

Tensor tensor_of(const Value& v) { return v.source == Source::Constant ? v.constant->tensor() : v.variable->tensor(); }

// The nodes whose operands are all constant. Only results that the other nodes read are wanted: what leads to those
// that the cache has is not computed, and what is computed on the way is dropped once it was read.
class Folder {
 public:
  Folder(Graph& graph, ConstantCache& cache)
      : graph_(graph), cache_(cache), values_(static_cast<std::size_t>(graph.num_values())) {
    for (ValueId id = 0; id < graph_.num_values(); ++id)
      if (graph_.is_constant(id)) value(id).key = given_key(graph_.value(id));
    for (Node& node : graph_.take_nodes()) take(std::move(node));
    for (const ValueId id : graph_.results()) value(graph_.resolve(id)).wanted = true;
  }

  void fold() {
    find_needed();
    for (std::size_t i = 0; i < folded_.size(); ++i)
      if (needed_[i]) evaluate(folded_[i]);
    // The nodes that stay were appended before their constants were known.
    std::vector<Node> kept = graph_.take_nodes();
    for (ValueId id = 0; id < static_cast<ValueId>(values_.size()); ++id)
      if (value(id).result != nullptr) graph_.replace(id, graph_.add_constant(value(id).result));
    for (Node& node : kept) graph_.append(std::move(node));
    graph_.finish_rewrite();
  }

 private:
  // What is known of a value; with an empty key it is no constant.
  struct Folded {
    std::string key;
    bool wanted = false;                     // by a node that stays, or as an output
    int readers = 0;                         // nodes to be computed that have not read it yet
    std::shared_ptr<const Constant> result;  // if wanted
    std::optional<Buffer> passing;           // if not
  };
  Folded& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  const TensorType& type(ValueId id) const { return graph_.value(id).type; }

  // Names the content of a constant that the graph holds: equal keys mean equal bytes.
  static std::string given_key(const Value& v) {
    return v.source == Source::Constant ? v.constant->key : cat("v", v.variable->id(), "@", v.variable->version());
  }
  std::string result_key(const Node& node, std::size_t output) {
    std::string key = cat(node.op->name, '/', node.kernel != nullptr ? node.kernel->name : "view", '/', output, '(');
    key.append(reinterpret_cast<const char*>(node.params.bytes()), Params::kMaxBytes);
    for (const ValueId id : node.inputs) key += cat(value(id).key, ',');
    return digest(key);  // the operands' keys whole would double with every node that reads a value twice
  }

  void take(Node node) {
    bool constant = !node.inputs.empty();
    for (ValueId& id : node.inputs) {
      id = graph_.resolve(id);
      constant = constant && !value(id).key.empty();
    }
    if (!constant) {
      for (const ValueId id : node.inputs) value(id).wanted = true;
      graph_.append(std::move(node));
      return;
    }
    bool is_new = false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      value(id).key = result_key(node, i);
      const auto [same, inserted] = by_key_.try_emplace(value(id).key, id);
      if (!inserted) graph_.replace(id, same->second);  // a layer called twice packs its weights once
      is_new = is_new || inserted;
    }
    if (is_new) folded_.push_back(std::move(node));
  }

  void find_needed() {
    needed_.resize(folded_.size(), false);
    for (std::size_t i = folded_.size(); i-- > 0;) {
      const Node& node = folded_[i];
      for (const ValueId id : node.outputs) {
        Folded& v = value(id);
        if (v.wanted) v.result = cache_.find(v.key);
        needed_[i] = needed_[i] || (v.result == nullptr && (v.wanted || v.readers > 0));
      }
      if (needed_[i])
        for (const ValueId id : node.inputs) ++value(id).readers;
    }
  }

  Tensor operand(ValueId id) {
    const Folded& v = value(id);
    if (v.result != nullptr) return v.result->tensor();
    if (v.passing) return {v.passing->data(), type(id)};
    return tensor_of(graph_.value(id));
  }

  // Room for a result: the cache's if it is wanted, else what was used before if that is large enough.
  Tensor room(ValueId id, std::vector<std::shared_ptr<Constant>>& made) {
    Folded& v = value(id);
    if (v.wanted) {
      made.push_back(std::make_shared<Constant>(Constant{type(id), Buffer(type(id).bytes()), v.key}));
      return made.back()->tensor();
    }
    if (spare_.data() == nullptr || spare_.bytes() < type(id).bytes()) spare_ = Buffer(type(id).bytes());
    v.passing = std::exchange(spare_, Buffer());
    return {v.passing->data(), type(id)};
  }

  void evaluate(const Node& node) {
    std::vector<Tensor> in, out;
    std::vector<TensorType> in_types, out_types;
    std::vector<std::shared_ptr<Constant>> made;
    for (const ValueId id : node.inputs) in.push_back(operand(id)), in_types.push_back(in.back().type);
    for (const ValueId id : node.outputs) out.push_back(room(id, made)), out_types.push_back(out.back().type);
    if (node.op->is_view) {
      std::memcpy(out[0].data, in[0].data, static_cast<std::size_t>(out[0].type.bytes()));
    } else {
      const Problem problem{node.params, in_types.data(), out_types.data(), static_cast<int>(in.size()),
                            static_cast<int>(out.size())};
      const Buffer workspace(node.kernel->workspace != nullptr ? node.kernel->workspace(problem) : 0);
      node.kernel->run({problem, in.data(), out.data(), workspace.data()});
    }
    std::size_t next = 0;
    for (const ValueId id : node.outputs)
      if (value(id).wanted) keep(id, made[next++]);
    for (const ValueId id : node.inputs) --value(id).readers;
    for (const ValueId id : node.inputs) drop_if_read(id);
    for (const ValueId id : node.outputs) drop_if_read(id);
  }

  void keep(ValueId id, const std::shared_ptr<Constant>& constant) {
    cache_.insert(constant);
    value(id).result = constant;
  }

  void drop_if_read(ValueId id) {
    Folded& v = value(id);
    if (v.readers > 0 || !v.passing) return;
    if (v.passing->bytes() > spare_.bytes()) spare_ = std::move(*v.passing);
    v.passing.reset();
  }

  Graph& graph_;
  ConstantCache& cache_;
  std::vector<Folded> values_;
  std::vector<Node> folded_;  // in their order
  std::unordered_map<std::string, ValueId> by_key_;
  std::vector<bool> needed_;
  Buffer spare_;
};

}  // namespace

std::string digest(const std::string& text) {  // two FNV-1a hashes
  std::uint64_t a = 0xcbf29ce484222325u, b = 0x84222325cbf29ce4u;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    b = (b ^ static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15u;
    b ^= b >> 29;
  }
  return cat("f", a, ".", b);
}

void fold_constants(Graph& graph, ConstantCache& cache) { Folder(graph, cache).fold(); }

}  // namespace fastcnn

#include "graph/graph.h"

#include <limits>

#include "ops/rooms.h"

namespace fastcnn {
namespace {

// Sizes come from users: a product that overflows would become a small allocation and a large write. An empty axis
// does not excuse the others: kernels multiply some of them without it.
void check_size(const char* op, const TensorType& type) {
  std::int64_t bytes = item_size(type.dtype);
  for (int i = 0; i < type.shape.rank; ++i) {
    const std::int64_t d = type.shape[i];
    require(d >= 0, ErrorKind::Shape, op, ": negative size in shape ", type.shape);
    const std::int64_t count = max_i64(1, d);
    require(bytes <= (std::int64_t{1} << 46) / count, ErrorKind::Shape, op, ": a tensor of shape ", type.shape,
            " is larger than any memory");
    bytes *= count;
  }
}

}  // namespace

ValueId Graph::new_value(Value value) {
  values_.push_back(std::move(value));
  return num_values() - 1;
}

ValueId Graph::add_input(const TensorType& type) {
  check_size("input", type);
  Value v{.type = type, .source = Source::Input, .index = static_cast<int>(inputs_.size())};
  inputs_.push_back(new_value(std::move(v)));
  return inputs_.back();
}

ValueId Graph::add_variable(std::shared_ptr<Variable> variable) {
  const auto [it, inserted] = variables_.try_emplace(variable.get(), num_values());
  if (inserted) {
    const TensorType type = variable->type();
    new_value({.type = type, .source = Source::Variable, .variable = std::move(variable)});
  }
  return it->second;
}

ValueId Graph::add_constant(std::shared_ptr<const Constant> constant) {
  const TensorType type = constant->type;
  return new_value({.type = type, .source = Source::Constant, .constant = std::move(constant)});
}

std::vector<ValueId> Graph::add(const Op& op, const Attrs& attrs, const std::vector<ValueId>& inputs,
                                const std::string& name) {
  for (const ValueId id : inputs)
    require(id >= 0 && id < num_values(), ErrorKind::Config, op.name, ": no value ", id, " in this graph");
  AttrReader reader(op.name, attrs);
  const Params params = op.parse(reader, types_of(*this, inputs));
  reader.finish();
  return add(op, params, inputs, name);
}

std::vector<ValueId> Graph::add(const Op& op, const Params& params, const std::vector<ValueId>& inputs,
                                const std::string& name) {
  Node node{.op = &op, .params = params, .inputs = inputs, .name = name};
  for (const TensorType& type : op.infer(params, types_of(*this, inputs))) {
    check_size(op.name, type);
    node.outputs.push_back(new_value({.type = type}));
  }
  std::vector<ValueId> outputs = node.outputs;
  append(std::move(node));
  return outputs;
}

void Graph::set_outputs(const std::vector<ValueId>& values) {
  for (const ValueId id : values)
    require(id >= 0 && id < num_values(), ErrorKind::Config, "graph: no value ", id, " to be an output");
  outputs_ = values;
}

void Graph::assign(const std::shared_ptr<Variable>& variable, ValueId value) {
  const ValueId target = add_variable(variable);
  require(value >= 0 && value < num_values(), ErrorKind::Config, "graph: no value ", value, " to assign");
  require(this->value(value).type == variable->type(), ErrorKind::Shape, "graph: a variable of ", variable->type(),
          " cannot take a value of ", this->value(value).type);
  for (const Update& u : updates_)
    require(u.variable != target, ErrorKind::Config, "graph: a variable of ", variable->type(), " is assigned twice");
  ValueId root = value;
  while (producer(root) != nullptr && producer(root)->op->is_view) root = producer(root)->inputs[0];
  if (this->value(root).source == Source::Variable) {  // may itself change in this run: keep what it holds
    const Shape& s = variable->type().shape;
    value = add(broadcast_to_op, {{"shape", std::vector<std::int64_t>(s.dims, s.dims + s.rank)}}, {value}, "")[0];
  }
  updates_.push_back({target, value});
  set_changing(target);
}

void Graph::set_changing(ValueId variable) { changing_.insert(variable); }

std::vector<ValueId> Graph::results() const {
  std::vector<ValueId> values = outputs_;
  for (const Update& u : updates_) values.push_back(u.value);
  return values;
}

const Node* Graph::producer(ValueId id) const {
  const Value& v = value(id);
  return v.source == Source::Node ? &nodes_.at(static_cast<std::size_t>(v.index)) : nullptr;
}

bool Graph::is_constant(ValueId id) const {
  const Source source = value(id).source;
  return source == Source::Constant || (source == Source::Variable && !changing_.contains(id));
}

std::vector<int> Graph::count_uses() const {
  std::vector<int> uses(values_.size(), 0);
  for (const Node& node : nodes_)
    for (const ValueId id : node.inputs) ++uses[static_cast<std::size_t>(id)];
  for (const ValueId id : results()) ++uses[static_cast<std::size_t>(id)];
  return uses;
}

std::vector<Node> Graph::take_nodes() {
  std::vector<Node> taken;
  taken.swap(nodes_);
  return taken;
}

void Graph::append(Node node) {
  for (ValueId& id : node.inputs) id = resolve(id);
  for (const ValueId id : node.outputs) {
    Value& v = values_[static_cast<std::size_t>(id)];
    v.source = Source::Node;
    v.index = static_cast<int>(nodes_.size());
  }
  nodes_.push_back(std::move(node));
}

void Graph::replace(ValueId from, ValueId to) { replaced_[from] = to; }

ValueId Graph::resolve(ValueId id) const {
  for (auto it = replaced_.find(id); it != replaced_.end(); it = replaced_.find(id)) id = it->second;
  return id;
}

void Graph::finish_rewrite() {
  for (ValueId& id : outputs_) id = resolve(id);
  for (Update& u : updates_) u.value = resolve(u.value);
  replaced_.clear();
}

std::vector<TensorType> types_of(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<TensorType> types;
  types.reserve(values.size());
  for (const ValueId id : values) types.push_back(graph.value(id).type);
  return types;
}

}  // namespace fastcnn

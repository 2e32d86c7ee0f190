// Graph: ops joined by values. A description: it holds no activations and runs nothing.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/buffer.h"
#include "graph/variable.h"
#include "ops/op.h"

namespace fastcnn {

// An array known when the graph is built or folded by a pass. `key` names its content: equal keys, equal bytes.
struct Constant {
  TensorType type;
  Buffer buffer;
  std::string key;
  std::shared_ptr<DeviceImage> image = std::make_shared<DeviceImage>();

  Tensor tensor() const { return {buffer.data(), type}; }
  void* on(DeviceRuntime& device) const { return image->on(device, buffer); }
};

enum class Source { Node, Input, Variable, Constant };

struct Value {
  TensorType type;
  Source source = Source::Node;
  int index = -1;  // of the node or of the graph input
  std::shared_ptr<Variable> variable;
  std::shared_ptr<const Constant> constant;
};

struct Node {
  const Op* op = nullptr;
  Params params;
  std::vector<ValueId> inputs, outputs;
  std::string name;                                           // the layer's, for people
  const KernelInfo* kernel = nullptr;                         // set by choose_kernels
  std::vector<std::pair<std::string, std::string>> declined;  // better rows and why they were passed over
};

// A variable takes the value at the end of a run: every node reads what it held before.
struct Update {
  ValueId variable, value;
};

// Nodes are in topological order at all times.
class Graph {
 public:
  ValueId add_input(const TensorType& type);
  ValueId add_variable(std::shared_ptr<Variable> variable);  // the same variable gives the same value
  ValueId add_constant(std::shared_ptr<const Constant> constant);
  std::vector<ValueId> add(const Op& op, const Attrs& attrs, const std::vector<ValueId>& inputs,
                           const std::string& name);
  std::vector<ValueId> add(const Op& op, const Params& params, const std::vector<ValueId>& inputs,
                           const std::string& name);
  void set_outputs(const std::vector<ValueId>& values);
  void assign(const std::shared_ptr<Variable>& variable, ValueId value);  // once for each variable
  void set_changing(ValueId variable);  // it is assigned between runs, or by them: every run reads what it holds

  const Value& value(ValueId id) const { return values_.at(static_cast<std::size_t>(id)); }
  const Node* producer(ValueId id) const;  // nullptr for inputs, variables and constants
  // A variable counts unless it changes from run to run: a plan freezes it until it is assigned.
  bool is_constant(ValueId id) const;
  std::vector<int> count_uses() const;  // by value; being a result is one use

  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<Node>& nodes() { return nodes_; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  const std::vector<Update>& updates() const { return updates_; }
  std::vector<ValueId> results() const;  // what must be computed: the outputs, then the values of the updates
  int num_values() const { return static_cast<int>(values_.size()); }

  // A pass takes the nodes out one by one and appends them, others, or none: for (Node& n : g.take_nodes()) ...
  // replace(a, b) makes every node appended later, and the graph's results, read b instead of a.
  std::vector<Node> take_nodes();
  void append(Node node);
  void replace(ValueId from, ValueId to);
  ValueId resolve(ValueId id) const;  // what to read instead of `id`
  void finish_rewrite();

 private:
  ValueId new_value(Value value);

  std::deque<Value> values_;  // what is asked of a value stays where it is when others are added
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_, outputs_;
  std::vector<Update> updates_;
  std::unordered_set<ValueId> changing_;
  std::unordered_map<ValueId, ValueId> replaced_;
  std::unordered_map<const Variable*, ValueId> variables_;
};

std::vector<TensorType> types_of(const Graph& graph, const std::vector<ValueId>& values);

}  // namespace fastcnn

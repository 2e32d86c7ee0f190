#include "graph/differentiate.h"

#include <algorithm>
#include <optional>

#include "graph/passes.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

class Differentiator final : public NodeGradient {
 public:
  Differentiator(Graph& graph, Recompute recompute) : graph_(graph), kept_(find_kept(graph, recompute)) {}

  std::vector<ValueId> run(ValueId target, const std::vector<ValueId>& sources) {
    find_dependent(sources);
    const int last = static_cast<int>(graph_.nodes().size());
    contribute(target, constant(1.0f, type(target).shape));
    for (int i = last; i-- > 0;) {
      node_ = graph_.nodes()[static_cast<std::size_t>(i)];  // a copy: rules add nodes
      if (is_on_the_way()) apply_rule();
    }
    std::vector<ValueId> gradients;
    for (const ValueId id : sources) {
      node_.name.clear();
      gradients.push_back(total(id).value_or(-1));
      if (gradients.back() < 0) gradients.back() = constant(0.0f, type(id).shape);
    }
    return gradients;
  }

  // ---- NodeGradient ------------------------------------------------------------------------------
  const Params& params() const override { return node_.params; }
  int num_inputs() const override { return static_cast<int>(node_.inputs.size()); }
  ValueId input(int i) override { return available(node_.inputs.at(static_cast<std::size_t>(i))); }
  ValueId output(int i) override { return available(node_.outputs.at(static_cast<std::size_t>(i))); }
  const Shape& input_shape(int i) const override { return type(own_input(i)).shape; }
  const Shape& output_shape(int i) const override { return type(own_output(i)).shape; }
  const TensorType& type(ValueId value) const override { return graph_.value(value).type; }

  ValueId upstream(int i) override {
    const std::optional<ValueId> known = total(own_output(i));
    return known ? *known : constant(0.0f, output_shape(i));
  }
  bool has_upstream(int i) const override {
    const auto at = static_cast<std::size_t>(own_output(i));
    return at < contributions_.size() && !contributions_[at].empty();
  }
  bool wants(int i) const override { return i < num_inputs() && depends(own_input(i)); }

  std::vector<ValueId> add_all(const Op& op, const Params& p, const std::vector<ValueId>& inputs) override {
    return graph_.add(op, p, inputs, node_.name);
  }
  std::vector<ValueId> add_all(const Op& op, const Attrs& attrs, const std::vector<ValueId>& inputs) override {
    return graph_.add(op, attrs, inputs, node_.name);
  }
  ValueId constant(float value, const Shape& shape) override {
    const TensorType scalar{DType::F32, {}};
    auto made = std::make_shared<Constant>(Constant{scalar, Buffer(scalar.bytes()), cat("scalar ", value)});
    *static_cast<float*>(made->buffer.data()) = value;
    const ValueId id = graph_.add_constant(std::move(made));
    if (shape.rank == 0) return id;
    return add(broadcast_to_op, {{"shape", std::vector<std::int64_t>(shape.dims, shape.dims + shape.rank)}}, {id});
  }

  void set(int i, ValueId gradient) override {
    if (!wants(i)) return;
    require(type(gradient) == type(own_input(i)), ErrorKind::Internal, node_.op->name, ": the gradient of operand ", i,
            " is a ", type(gradient), ", the operand a ", type(own_input(i)));
    contribute(own_input(i), gradient);
  }

 private:
  ValueId own_input(int i) const { return node_.inputs.at(static_cast<std::size_t>(i)); }
  ValueId own_output(int i) const { return node_.outputs.at(static_cast<std::size_t>(i)); }

  // What to read for a value of the forward pass: itself if it is kept, else what a copy of its node makes.
  ValueId available(ValueId id) {
    const auto at = static_cast<std::size_t>(id);
    if (at >= kept_.size() || kept_[at]) return id;
    if (const auto made = again_.find(id); made != again_.end()) return made->second;
    const Node node = *graph_.producer(id);
    std::vector<ValueId> operands;
    for (const ValueId operand : node.inputs) operands.push_back(available(operand));
    const std::vector<ValueId> results = graph_.add(*node.op, node.params, operands, node.name);
    for (std::size_t k = 0; k < results.size(); ++k) again_.emplace(node.outputs[k], results[k]);
    return again_.at(id);
  }

  bool depends(ValueId id) const {
    const auto at = static_cast<std::size_t>(id);
    return at < dependent_.size() && dependent_[at];
  }

  // Float values that some source leads to.
  void find_dependent(const std::vector<ValueId>& sources) {
    dependent_.assign(static_cast<std::size_t>(graph_.num_values()), false);
    for (const ValueId id : sources) dependent_[static_cast<std::size_t>(id)] = true;
    for (const Node& node : graph_.nodes()) {
      bool any = false;
      for (const ValueId id : node.inputs) any = any || depends(id);
      for (const ValueId id : node.outputs)
        if (any && type(id).dtype == DType::F32) dependent_[static_cast<std::size_t>(id)] = true;
    }
  }

  bool is_on_the_way() const {
    bool varies = false, matters = false;
    for (int i = 0; i < num_inputs(); ++i) varies = varies || wants(i);
    for (int i = 0; i < static_cast<int>(node_.outputs.size()); ++i) matters = matters || has_upstream(i);
    return varies && matters;
  }

  void apply_rule() {
    if (node_.op->is_view && node_.op->gradient == nullptr) {
      const Shape& x = input_shape(0);
      set(0, add(reshape_op, {{"shape", std::vector<std::int64_t>(x.dims, x.dims + x.rank)}}, {upstream(0)}));
      return;
    }
    require(node_.op->gradient != nullptr, ErrorKind::Unsupported, node_.op->name,
            node_.name.empty() ? std::string() : cat(" (\"", node_.name, "\")"), " cannot be differentiated");
    node_.op->gradient(*this);
  }

  void contribute(ValueId id, ValueId gradient) {
    const auto at = static_cast<std::size_t>(id);
    if (at >= contributions_.size()) contributions_.resize(at + 1);
    contributions_[at].push_back(gradient);
  }

  // The sum of what was contributed, in the order it came.
  std::optional<ValueId> total(ValueId id) {
    const auto at = static_cast<std::size_t>(id);
    if (at >= contributions_.size() || contributions_[at].empty()) return std::nullopt;
    ValueId sum = contributions_[at][0];
    for (std::size_t k = 1; k < contributions_[at].size(); ++k)
      sum = add(add_op, Attrs{}, {sum, contributions_[at][k]});
    contributions_[at].assign(1, sum);
    return sum;
  }

  Graph& graph_;
  Node node_;
  std::vector<bool> kept_, dependent_;               // by value of the forward pass
  std::unordered_map<ValueId, ValueId> again_;       // by value that is not kept: the same, computed again
  std::vector<std::vector<ValueId>> contributions_;  // to a value's gradient, from those who read it
};

}  // namespace

std::vector<ValueId> differentiate(Graph& graph, ValueId target, const std::vector<ValueId>& sources,
                                   Recompute recompute) {
  const auto check = [&](ValueId id) {
    require(id >= 0 && id < graph.num_values(), ErrorKind::Config, "gradient: no value ", id, " in this graph");
    require(graph.value(id).type.dtype == DType::F32, ErrorKind::DType, "gradient: expected float32 values, got ",
            graph.value(id).type);
  };
  check(target);
  require(graph.value(target).type.shape.size() == 1, ErrorKind::Shape,
          "gradient: expected a loss of one number, got shape ", graph.value(target).type.shape);
  for (const ValueId id : sources) {
    check(id);
    if (graph.value(id).source == Source::Variable) graph.set_changing(id);  // who asks is about to move it
  }
  split_epilogues(graph);
  // Now rather than in compile, where the gradient of the weights would read the padded picture too.
  const auto is_padded = [&](ValueId id) {
    const Node* node = graph.producer(id);
    return node != nullptr && node->op == &pad_op;
  };
  if (std::none_of(sources.begin(), sources.end(), is_padded)) fold_padding(graph);
  return Differentiator(graph, recompute).run(target, sources);
}

}  // namespace fastcnn

#include <algorithm>

#include "graph/passes.h"
#include "ops/convert/convert.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// The row that will be chosen for the node with operands and results stored as `problem` says; nullptr: none takes it.
const KernelInfo* find_row(const Node& node, const Problem& problem, Isa isa) {
  for (const KernelInfo& row : node.op->kernels)
    if (row.isa <= isa && refuse_storage(row, problem) == nullptr &&
        (row.declines == nullptr || row.declines(problem) == nullptr) &&
        (row.yields == nullptr || row.yields(problem) == nullptr))
      return &row;
  return nullptr;
}

class Storage {
 public:
  Storage(Graph& graph, Isa isa)
      : graph_(graph),
        isa_(isa),
        can_(static_cast<std::size_t>(graph.num_values())),
        wanted_(can_.size()),
        cast_(can_.size(), -1) {
    std::vector<bool> is_result(can_.size());
    for (const ValueId id : graph_.results()) is_result[static_cast<std::size_t>(id)] = true;
    alike_.reserve(graph_.nodes().size());
    for (const Node& node : graph_.nodes()) {
      const bool is_kept = is_result[static_cast<std::size_t>(node.outputs[0])];
      alike_.push_back(find_alike(node, is_kept));
      can(node.outputs[0]) = alike_.back().operands != 0 ? alike_.back().result : !is_kept && can_write(node);
    }
    for (std::size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (alike_[i].result) wanted_[static_cast<std::size_t>(node.outputs[0])] = true;  // it writes nothing else
      for (std::size_t k = 0; k < node.inputs.size(); ++k)
        if (wants(i, node, k)) wanted_[static_cast<std::size_t>(node.inputs[k])] = true;
    }
  }

  void rewrite() {
    std::size_t index = 0;
    for (Node& node : graph_.take_nodes()) {
      const std::size_t i = index++;
      const bool stored = is_stored(node.outputs[0]);
      const Node original = node;
      for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        const ValueId operand = original.inputs[k];
        const bool reads = wants(i, original, k);
        node.inputs[k] = graph_.resolve(operand);
        const bool is_bf16 = graph_.value(node.inputs[k]).type.dtype == DType::BF16;
        if (is_bf16 ? !reads : reads && gains_by_cast(i, original, k))
          node.inputs[k] = cast(operand, is_bf16 ? DType::F32 : DType::BF16, node.name);
      }
      const bool changes = stored || is_any_bf16(node);
      if (!changes) {
        graph_.append(std::move(node));
        continue;
      }
      if (stored && is_product(node)) node.op->epilogue(node.params).result = DType::BF16;
      const std::vector<ValueId> made = graph_.add(*node.op, node.params, node.inputs, node.name);
      for (std::size_t k = 0; k < made.size(); ++k) graph_.replace(node.outputs[k], made[k]);
    }
    graph_.finish_rewrite();
  }

 private:
  std::vector<bool>::reference can(ValueId id) { return can_[static_cast<std::size_t>(id)]; }
  bool is_stored(ValueId id) const {
    return can_[static_cast<std::size_t>(id)] && wanted_[static_cast<std::size_t>(id)];
  }
  static bool is_product(const Node& node) {
    return node.op->epilogue != nullptr &&
           std::none_of(node.op->kernels.begin(), node.op->kernels.end(),
                        [](const KernelInfo& row) { return row.bf16_alike != nullptr; });
  }
  // Ops that only move or compare numbers: what they write is stored as what they read.
  static bool is_moving(const Node& node) {
    return node.op == &max_pool2d_op || node.op == &concat_op || node.op == &slice_op;
  }

  bool is_any_bf16(const Node& node) const {
    for (const ValueId id : node.inputs)
      if (graph_.value(id).type.dtype == DType::BF16) return true;
    return false;
  }

  // A node that reads pictures in bfloat16, all or none (KernelInfo::bf16_alike), and now does: which operands, and
  // whether its result is stored alike.
  struct Alike {
    std::uint32_t operands = 0;
    bool result = false;
  };

  Alike find_alike(const Node& node, bool is_kept) {
    std::vector<TensorType> in = types_of(graph_, node.inputs), out = types_of(graph_, node.outputs);
    const auto problem = [&] {
      return Problem{node.params, in.data(), out.data(), static_cast<int>(in.size()), static_cast<int>(out.size())};
    };
    std::uint32_t operands = 0;
    for (const KernelInfo& row : node.op->kernels)
      if (row.isa <= isa_ && row.bf16_alike != nullptr) operands |= row.bf16_alike(problem());
    bool is_worth = false;
    for (std::size_t k = 0; k < in.size(); ++k) {
      if ((operands >> k & 1u) == 0) continue;
      if (in[k].dtype != DType::F32) return {};
      is_worth = is_worth || can(node.inputs[k]);
      in[k].dtype = DType::BF16;
    }
    if (!is_worth) return {};
    out = node.op->infer(node.params, in);
    const bool result = out[0].dtype == DType::BF16;
    const KernelInfo* row = find_row(node, problem(), isa_);
    if (row == nullptr || (result && is_kept)) return {};
    // What a model is given is rounded for products in bfloat16 only.
    for (std::size_t k = 0; k < in.size() && row->precision != Precision::Medium; ++k)
      if ((operands >> k & 1u) != 0 && graph_.value(node.inputs[k]).source != Source::Node) return {};
    return {operands, result};
  }

  // The node's row for operand 0, or for its residual and result, in bfloat16; nullptr: it has none.
  const KernelInfo* takes(const Node& node, bool picture, bool result) const {
    if (node.outputs.size() != 1 || node.op->kernels.empty()) return nullptr;
    std::vector<TensorType> in = types_of(graph_, node.inputs), out = types_of(graph_, node.outputs);
    if (in.empty() || in[0].dtype != DType::F32 || out[0].shape.size() == 0) return nullptr;
    Node changed = node;
    if (picture) in[0].dtype = DType::BF16;
    if (result) {
      if (is_product(node)) changed.op->epilogue(changed.params).result = DType::BF16;
      out[0].dtype = DType::BF16;
    }
    const Problem problem{changed.params, in.data(), out.data(), static_cast<int>(in.size()), 1};
    return find_row(node, problem, isa_);
  }

  bool can_write(const Node& node) {
    if (node.op->kernels.empty()) return false;
    const KernelInfo* row = takes(node, true, true);
    if (!is_moving(node))
      return is_product(node) && (takes(node, false, true) != nullptr ||
                                  (row != nullptr && (can(node.inputs[0]) || row->precision == Precision::Medium)));
    for (const ValueId id : node.inputs)
      if (!can(id)) return false;
    return row != nullptr;
  }

  // Whether the node is the better for operand `k` in bfloat16.
  bool wants(std::size_t i, const Node& node, std::size_t k) {
    if (alike_[i].operands != 0) return (alike_[i].operands >> k & 1u) != 0;
    const ValueId out = node.outputs[0];
    if (node.op == &max_pool2d_op) return can(out);
    if (is_moving(node)) return is_stored(out);
    if (!is_product(node)) return false;
    if (k == 0) return takes(node, true, is_stored(out)) != nullptr;
    Params params = node.params;
    return node.op->epilogue(params).residual && k + 1 == node.inputs.size() &&
           (takes(node, true, true) != nullptr || takes(node, false, true) != nullptr);
  }

  // Whether operand `k`, which nothing before stores in bfloat16, is worth a pass that does: for another row, which
  // multiplies in bfloat16 and would else round a pixel once for each window that holds it.
  bool gains_by_cast(std::size_t i, const Node& node, std::size_t k) const {
    if (alike_[i].operands != 0) return true;
    if (!is_product(node) || k != 0) return false;
    const bool stored = is_stored(node.outputs[0]);
    const KernelInfo* row = takes(node, true, stored);
    return row->precision == Precision::Medium && row != takes(node, false, stored);
  }

  // The value in the other format: converted once for all who read it.
  ValueId cast(ValueId original, DType dtype, const std::string& name) {
    ValueId& made = cast_[static_cast<std::size_t>(original)];
    if (made < 0) made = graph_.add(cast_op, Params(CastParams{dtype}), {graph_.resolve(original)}, name)[0];
    return made;
  }

  Graph& graph_;
  Isa isa_;
  std::vector<bool> can_, wanted_;  // by value
  std::vector<Alike> alike_;        // by node
  std::vector<ValueId> cast_;       // by value: what it was cast to; -1: was not
};

}  // namespace

void store_bf16(Graph& graph, Isa isa) { Storage(graph, isa).rewrite(); }

}  // namespace fastcnn

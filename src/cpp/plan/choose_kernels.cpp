#include <algorithm>

#include "ops/device_rows.h"
#include "plan/stages.h"

namespace fastcnn {
namespace {

struct Candidate {
  std::vector<TensorType> inputs, outputs;
  Problem problem;

  Candidate(const Graph& graph, const Node& node)
      : inputs(types_of(graph, node.inputs)), outputs(types_of(graph, node.outputs)) {
    problem.params = node.params;
    problem.inputs = inputs.data();
    problem.outputs = outputs.data();
    problem.num_inputs = static_cast<int>(inputs.size());
    problem.num_outputs = static_cast<int>(outputs.size());
  }
};

bool has_row(const Op& op, Device device, const std::string& kernel) {
  for (const KernelInfo& row : kernels_of(op, device))
    if (kernel == row.name) return true;
  return false;
}

// Why `row` may not compute the problem under these options; nullptr when it may.
const char* refusal(const KernelInfo& row, const Problem& problem, const CompileOptions& options) {
  if (row.device == Device::Cpu && row.isa > options.isa) return "needs a higher instruction set";
  if (row.precision > options.precision) return "less accurate than the precision asked for";
  if (const char* reason = refuse_storage(row, problem); reason != nullptr) return reason;
  return row.declines != nullptr ? row.declines(problem) : nullptr;
}

// The fastest row, measured; nullptr where there is no choice.
const KernelInfo* choose_fastest(const Graph& graph, const Node& node, const std::vector<bool>& constant,
                                 const Problem& problem, const CompileOptions& options) {
  std::vector<const KernelInfo*> rows;
  for (const KernelInfo& row : node.op->kernels)
    if ((row.isa != Isa::Ref || rows.empty()) && refusal(row, problem, options) == nullptr) rows.push_back(&row);
  const bool empty = std::any_of(problem.outputs, problem.outputs + problem.num_outputs,
                                 [](const TensorType& type) { return type.shape.size() == 0; });
  return rows.size() > 1 && !empty ? options.timings->fastest(graph, node, constant, rows) : nullptr;
}

// What is constant is computed once, when the plan is compiled, by the CPU for every device.
void choose(const Graph& graph, Node& node, const std::vector<bool>& constant, const CompileOptions& options) {
  const Candidate candidate(graph, node);
  const bool folded = !constant.empty() && std::find(constant.begin(), constant.end(), false) == constant.end();
  const Device device = folded ? Device::Cpu : options.device.device;
  const bool forced = !options.kernel.empty() && has_row(*node.op, device, options.kernel);
  const KernelInfo* fastest = nullptr;
  if (!forced && options.timings != nullptr && node.op->flops != nullptr && device == Device::Cpu)
    fastest = choose_fastest(graph, node, constant, candidate.problem, options);
  for (const KernelInfo& row : kernels_of(*node.op, device)) {
    if (forced && options.kernel != row.name) continue;
    const char* reason = refusal(row, candidate.problem, options);
    if (reason == nullptr && fastest != nullptr && fastest != &row) reason = "measured slower";
    if (reason == nullptr && fastest == nullptr && !forced && row.yields != nullptr)
      reason = row.yields(candidate.problem);
    if (reason == nullptr) {
      node.kernel = &row;
      return;
    }
    require(!forced, ErrorKind::Unsupported, "kernel ", row.name, " does not take this problem: ", reason);
    node.declined.emplace_back(row.name, reason);
  }
  std::string reasons;
  for (const auto& [row, reason] : node.declined) reasons += cat("; ", row, ": ", reason);
  fail(device == Device::Cpu ? ErrorKind::Internal : ErrorKind::Unsupported, node.op->name, ": no kernel for ",
       to_string(options.device), " takes this problem", reasons);
}

}  // namespace

void choose_kernels(Graph& graph, const CompileOptions& options) {
  const auto has = [&](const Op* op) {
    return has_row(*op, Device::Cpu, options.kernel) || has_row(*op, options.device.device, options.kernel);
  };
  const bool known = options.kernel.empty() || std::any_of(all_ops().begin(), all_ops().end(), has);
  require(known, ErrorKind::Config, "compile: no op has a kernel '", options.kernel, "'");
  std::vector<bool> constant(static_cast<std::size_t>(graph.num_values()));  // or will be, when constants are folded
  for (ValueId id = 0; id < graph.num_values(); ++id) constant[static_cast<std::size_t>(id)] = graph.is_constant(id);
  for (Node& node : graph.take_nodes()) {
    std::vector<bool> operands;
    for (const ValueId id : node.inputs) operands.push_back(constant[static_cast<std::size_t>(id)]);
    if (std::find(operands.begin(), operands.end(), false) == operands.end() && !operands.empty())
      for (const ValueId id : node.outputs) constant[static_cast<std::size_t>(id)] = true;
    if (!node.op->is_view) choose(graph, node, operands, options);
    if (node.kernel != nullptr && node.kernel->pack != nullptr) {
      ValueId& operand = node.inputs[static_cast<std::size_t>(node.kernel->pack_input)];
      const Params params = node.kernel->pack_params != nullptr ? node.kernel->pack_params(node.params) : node.params;
      operand = graph.add(*node.kernel->pack, params, {operand}, node.name)[0];
      choose(graph, graph.nodes().back(), {}, options);
    }
    graph.append(std::move(node));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

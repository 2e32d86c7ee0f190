#include <algorithm>

#include "graph/passes.h"
#include "ops/concat/concat.h"
#include "ops/rooms.h"
#include "plan/stages.h"

namespace fastcnn {
namespace {

// Bytes read and written: of operands and results, but of a concatenation only what is not in its place.
std::int64_t count_bytes(const Step& step) {
  std::int64_t total = 0;
  if (step.node.op != &concat_op) {
    for (const TensorType& t : step.types) total += t.bytes();
    return total;
  }
  const TensorType& y = step.types.back();
  const int axis = step.node.params.as<ConcatParams>().axis;
  Location to = step.locations.back();
  for (std::size_t k = 0; k < step.node.inputs.size(); ++k) {
    const TensorType& x = step.types[k];
    const Location& from = step.locations[k];
    const bool in_place = from.place == to.place && from.index == to.index && from.offset == to.offset;
    if (!in_place) total += 2 * x.bytes();
    to.offset += x.shape.product(axis, x.shape.rank) * item_size(y.dtype);
  }
  return total;
}

}  // namespace

std::shared_ptr<const Plan> compile(Graph graph, const CompileOptions& options, ConstantCache* cache) {
  require(!graph.results().empty(), ErrorKind::Config, "compile: the graph has no outputs");
  auto plan = std::make_shared<Plan>();
  plan->device_ = options.device;
  if (options.device.device != Device::Cpu) plan->runtime_ = &device_runtime(options.device.index);
  for (ValueId id = 0; id < graph.num_values(); ++id)
    if (const auto& v = graph.value(id).variable; v != nullptr && graph.is_constant(id))
      plan->frozen_.emplace_back(v, v->version());
  for (const Update& u : graph.updates()) plan->updated_.push_back(graph.value(u.variable).variable);

  // THE list of passes.
  remove_dead_nodes(graph);
  if (options.optimize) {
    fold_scales(graph);
    remove_dead_nodes(graph);
    fuse_epilogues(graph);
    fuse_gradients(graph);
    fold_zero_sums(graph);
    fold_padding(graph);
    remove_dead_nodes(graph);
    move_strides_up(graph);
    hoist_updates(graph);
    delay_nodes(graph);
    const bool in_floats = options.quantization == nullptr && options.observe == Observe::Outputs;
    const bool on_cpu = options.device.device == Device::Cpu;
    if (in_floats && on_cpu && options.precision == Precision::Medium && options.isa >= Isa::Avx512Bf16 &&
        options.kernel.empty())
      store_bf16(graph, options.isa);
  }
  if (options.observe == Observe::Values) plan->output_names_ = observe_values(graph);
  if (options.quantization != nullptr) {
    if (options.observe == Observe::Products)
      plan->output_names_ = observe_products(graph, *options.quantization);
    else
      quantize_products(graph, *options.quantization);
    remove_dead_nodes(graph);
  }
  choose_kernels(graph, options);
  ConstantCache own;
  fold_constants(graph, cache != nullptr ? *cache : own);
  remove_dead_nodes(graph);

  for (const ValueId id : graph.inputs()) plan->input_types_.push_back(graph.value(id).type);
  plan->output_types_ = types_of(graph, graph.outputs());
  plan->take_steps(graph);
  return plan;
}

void Plan::take_steps(const Graph& graph) {
  std::vector<int> stored_index(static_cast<std::size_t>(graph.num_values()), -1);
  std::vector<bool> used(stored_index.size(), false);
  for (const Node& node : graph.nodes())
    for (const ValueId id : node.inputs) used[static_cast<std::size_t>(id)] = true;
  for (const ValueId id : graph.results()) used[static_cast<std::size_t>(id)] = true;
  for (const Update& u : graph.updates()) used[static_cast<std::size_t>(u.variable)] = true;
  for (ValueId id = 0; id < graph.num_values(); ++id) {
    const Value& v = graph.value(id);
    const bool stored = v.source == Source::Constant || v.source == Source::Variable;
    if (!stored || !used[static_cast<std::size_t>(id)]) continue;
    stored_index[static_cast<std::size_t>(id)] = static_cast<int>(stored_.size());
    stored_.push_back({v.constant, v.variable});
  }

  std::vector<std::int64_t> workspace_bytes;
  for (const Node& node : graph.nodes()) {
    Step step{.node = node, .types = types_of(graph, node.inputs)};
    for (const ValueId id : node.outputs) step.types.push_back(graph.value(id).type);
    const Problem problem = step.problem();
    step.empty = std::all_of(problem.outputs, problem.outputs + problem.num_outputs,
                             [](const TensorType& t) { return t.shape.size() == 0; });
    if (node.kernel != nullptr && node.kernel->workspace != nullptr && !step.empty)
      step.workspace_bytes = node.kernel->workspace(problem);
    if (node.op->flops != nullptr) step.flops = node.op->flops(problem);
    workspace_bytes.push_back(step.workspace_bytes);
    steps_.push_back(std::move(step));
  }

  MemoryPlan memory = plan_memory(graph, workspace_bytes, stored_index);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    for (const ValueId id : step.node.inputs) step.locations.push_back(memory.values[static_cast<std::size_t>(id)]);
    for (const ValueId id : step.node.outputs) step.locations.push_back(memory.values[static_cast<std::size_t>(id)]);
    step.workspace_offset = memory.workspaces[i];
    step.bytes = count_bytes(step);
  }
  std::erase_if(steps_, [](const Step& step) { return step.node.op->is_view; });
  copies_ = std::move(memory.copies);
  arena_bytes_ = memory.arena_bytes;
}

}  // namespace fastcnn

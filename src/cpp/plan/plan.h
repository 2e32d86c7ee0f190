// Plan: chosen kernels + packed weights + one arena; immutable, printable, safe to run from several threads at once.
// What a run may change are the variables that the graph updates.
#pragma once

#include <mutex>
#include <span>

#include "graph/graph.h"
#include "graph/quantization.h"
#include "plan/timing_cache.h"

namespace fastcnn {

// Folded and packed constants by content, shared by the plans of a model: a plan for another shape packs nothing
// anew. Holds them weakly, so what no plan uses is freed.
class ConstantCache {
 public:
  std::shared_ptr<const Constant> find(const std::string& key);
  void insert(const std::shared_ptr<const Constant>& constant);
  std::int64_t bytes();

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<const Constant>> constants_;
};

// What a plan gives instead of the graph's outputs, for calibration.
enum class Observe {
  Outputs,   // nothing instead
  Values,    // the inputs and every float result that steps of the plan would compute
  Products,  // every product that could be computed on codes: so computed, from floats made codes, to floats
};

struct CompileOptions {
  DeviceId device = {};
  Isa isa = Isa::Ref;
  Precision precision = Precision::Highest;
  std::string kernel;                              // forces this row wherever its op occurs
  bool optimize = true;                            // false: the graph as described, for tests of the passes
  TimingCache* timings = nullptr;                  // rows of heavy ops are chosen by measurement
  const QuantizationSpec* quantization = nullptr;  // nullptr: in floats
  Observe observe = Observe::Outputs;
};

// Where a step finds an operand.
enum class Place : std::uint8_t { Arena, Input, Output, Stored };
struct Location {
  Place place = Place::Arena;
  int index = 0;            // of the graph input, graph output or stored tensor
  std::int64_t offset = 0;  // bytes from its start
  std::int64_t pitch = 0;   // Tensor::pitch
};

struct Step {
  Node node;
  std::vector<TensorType> types;  // inputs, then outputs
  std::vector<Location> locations;
  std::int64_t workspace_offset = 0, workspace_bytes = 0;
  std::int64_t flops = 0, bytes = 0;
  bool empty = false;  // no result has elements: nothing to compute
  Problem problem() const;
  // Its kernel's level, or medium where an operand or a result is stored in bfloat16.
  Precision precision() const;
  // For people: what else is computed in the same pass, and whether a concatenation has nothing to copy.
  std::vector<std::string> notes() const;
};

// After the steps: a graph output or a variable's new value that no step put in its place.
struct Copy {
  Location from, to;
  std::int64_t bytes = 0;
};

// An operand that outlives a run: one of these.
struct StoredTensor {
  std::shared_ptr<const Constant> constant;
  std::shared_ptr<Variable> variable;
  Tensor tensor() const { return constant != nullptr ? constant->tensor() : variable->tensor(); }
  void* on(DeviceRuntime& device) const { return constant != nullptr ? constant->on(device) : variable->on(device); }
};

class Execution;  // the mutable part of a run; kept for the next (plan/execution.h)

class Plan {
 public:
  Plan();
  ~Plan();

  // `inputs` and `outputs` match the graph's in number, type and order. Nothing is allocated from the second call on.
  // `nanoseconds`, when given, receives one duration per step. A plan that updates variables runs in one thread at a
  // time.
  void run(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds = nullptr) const;
  // The same with operands in the memory of the plan's device, in the order of `stream`: it returns before they are
  // computed.
  void run_on_device(std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                     DeviceRuntime::Stream stream) const;

  bool is_stale() const;
  DeviceId device() const { return device_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<TensorType>& input_types() const { return input_types_; }
  const std::vector<TensorType>& output_types() const { return output_types_; }
  // Of the outputs when observing, else empty: the names by which a QuantizationSpec knows values.
  const std::vector<std::string>& output_names() const { return output_names_; }
  std::int64_t arena_bytes() const { return arena_bytes_; }
  std::int64_t constant_bytes() const;  // and of variables

 private:
  friend class Execution;
  friend std::shared_ptr<const Plan> compile(Graph graph, const CompileOptions& options, ConstantCache* cache);

  void take_steps(const Graph& graph);
  std::unique_ptr<Execution> take_execution() const;
  void give_back(std::unique_ptr<Execution> execution) const;

  DeviceId device_;
  DeviceRuntime* runtime_ = nullptr;  // of the device; the CPU has none
  std::vector<Step> steps_;
  std::vector<Copy> copies_;
  std::vector<StoredTensor> stored_;
  std::vector<std::pair<std::shared_ptr<Variable>, std::uint64_t>> frozen_;  // with the version folded in
  std::vector<std::shared_ptr<Variable>> updated_;
  std::vector<TensorType> input_types_, output_types_;
  std::vector<std::string> output_names_;
  std::int64_t arena_bytes_ = 0;

  mutable std::mutex mutex_, updating_;
  mutable std::vector<std::unique_ptr<Execution>> idle_;
};

// model -> graph -> [passes] -> plan. The list of passes is in compile.cpp.
std::shared_ptr<const Plan> compile(Graph graph, const CompileOptions& options, ConstantCache* cache);

}  // namespace fastcnn

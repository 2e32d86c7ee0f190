#include "plan/timing_cache.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "plan/stages.h"

namespace fastcnn {
namespace {

constexpr double kNoise = 1.02;  // a later row has to be faster by more
constexpr int kLeastRounds = 3, kMostRounds = 25;
constexpr std::int64_t kBudget = 60'000'000;  // nanoseconds for all rows of a problem, beyond the least rounds
constexpr std::int64_t kHopeless = 3;         // times slower than the best in the first round: not run again
constexpr std::int64_t kSweptBytes = std::int64_t{8} << 20;

std::int64_t now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

// Names a problem: equal names, equal work.
std::string describe(const Graph& graph, const Node& node, const std::vector<bool>& constant) {
  std::string text = node.op->name;
  const char* separator = "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    // An operand that is packed at every run is part of the work.
    text += cat(separator, constant[i] ? "constant " : "", graph.value(node.inputs[i]).type);
    separator = ", ";
  }
  separator = ") -> ";
  for (const ValueId id : node.outputs) {
    text += cat(separator, graph.value(id).type);
    separator = ", ";
  }
  // Not the number of threads: whatever it is, results are to have the same bits.
  const std::string params(reinterpret_cast<const char*>(node.params.bytes()), Params::kMaxBytes);
  return cat(text, ", ", digest(params));
}

// Operands that all rows of a problem are run on: their packed forms may be large, and content does not matter.
class Memory {
 public:
  void reserve(std::size_t slot, const TensorType& type) {
    if (slots_.size() <= slot) slots_.resize(slot + 1);
    slots_[slot].bytes = std::max(slots_[slot].bytes, type.bytes());
    slots_[slot].floats &= type.dtype == DType::F32;
  }

  // Numbers of moderate size.
  void fill() {
    std::uint32_t state = 1;
    for (Slot& slot : slots_) {
      slot.buffer = Buffer(slot.bytes);
      std::memset(slot.buffer.data(), 0, static_cast<std::size_t>(slot.bytes));
      if (!slot.floats) continue;
      auto* x = static_cast<float*>(slot.buffer.data());
      for (std::int64_t i = 0; i < slot.bytes / static_cast<std::int64_t>(sizeof(float)); ++i) {
        state = state * 1664525u + 1013904223u;
        x[i] = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
      }
    }
  }

  std::vector<Tensor> tensors(std::size_t first_slot, const std::vector<TensorType>& types) const {
    std::vector<Tensor> all;
    for (const TensorType& type : types) all.push_back({slots_[first_slot++].buffer.data(), type});
    return all;
  }

 private:
  struct Slot {
    Buffer buffer;
    std::int64_t bytes = 0;
    bool floats = true;
  };
  std::vector<Slot> slots_;
};

// One kernel and where its operands are.
struct Run {
  const KernelInfo& kernel;
  Params params;
  std::vector<TensorType> in, out;
  std::size_t in_slot, out_slot;
  Buffer workspace;

  Problem problem() const {
    return {params, in.data(), out.data(), static_cast<int>(in.size()), static_cast<int>(out.size())};
  }
  void reserve(Memory& memory) {
    for (std::size_t i = 0; i < in.size(); ++i) memory.reserve(in_slot + i, in[i]);
    for (std::size_t i = 0; i < out.size(); ++i) memory.reserve(out_slot + i, out[i]);
    workspace = Buffer(kernel.workspace != nullptr ? kernel.workspace(problem()) : 0);
  }
  std::int64_t measure(const Memory& memory) const {
    const std::vector<Tensor> from = memory.tensors(in_slot, in), to = memory.tensors(out_slot, out);
    const Problem mine = problem();
    const std::int64_t start = now();
    kernel.run({mine, from.data(), to.data(), workspace.data()});
    return now() - start;
  }
};

// A row computing a node's problem, packing included where that is done at every run.
class Candidate {
 public:
  Candidate(const Graph& graph, const Node& node, const std::vector<bool>& constant, const KernelInfo& row,
            Memory& memory)
      : row_(row) {
    std::vector<TensorType> in = types_of(graph, node.inputs);
    const std::vector<TensorType> out = types_of(graph, node.outputs);
    const std::size_t raw_slot = in.size() + out.size();
    if (row.pack != nullptr) {
      const auto operand = static_cast<std::size_t>(row.pack_input);
      const Params params = row.pack_params != nullptr ? row.pack_params(node.params) : node.params;
      const std::vector<TensorType> raw = {in[operand]}, packed = row.pack->infer(params, raw);
      in[operand] = packed[0];
      if (!constant[operand]) runs_.push_back({row.pack->kernels[0], params, raw, packed, raw_slot, operand, {}});
    }
    runs_.push_back({row, node.params, in, out, 0, in.size(), {}});
    for (Run& run : runs_) run.reserve(memory);
  }

  const KernelInfo& row() const { return row_; }
  std::int64_t best() const { return best_; }
  std::int64_t measure(const Memory& memory) {
    std::int64_t spent = 0;
    for (const Run& run : runs_) spent += run.measure(memory);
    best_ = std::min(best_, std::max<std::int64_t>(1, spent));
    return spent;
  }

 private:
  const KernelInfo& row_;
  std::vector<Run> runs_;  // packing, if it counts, and the kernel
  std::int64_t best_ = std::numeric_limits<std::int64_t>::max();
};

// The rows take turns; between them other memory is written, so that operands are in a cache no nearer than in a
// network.
void measure(const Graph& graph, const Node& node, const std::vector<bool>& constant,
             const std::vector<const KernelInfo*>& rows, std::map<std::string, std::int64_t>& times) {
  Memory memory;
  std::vector<Candidate> candidates;
  for (const KernelInfo* row : rows) candidates.emplace_back(graph, node, constant, *row, memory);
  memory.fill();
  for (Candidate& candidate : candidates) candidate.measure(memory);  // touches its workspace
  std::int64_t fastest = std::numeric_limits<std::int64_t>::max(), spent = 0;
  for (const Candidate& candidate : candidates) fastest = std::min(fastest, candidate.best());
  const Buffer swept(kSweptBytes);
  for (int round = 0; round < kMostRounds && (round < kLeastRounds || spent < kBudget); ++round)
    for (Candidate& candidate : candidates) {
      if (candidate.best() / kHopeless > fastest) continue;
      std::memset(swept.data(), round, kSweptBytes);
      spent += candidate.measure(memory);
    }
  for (const Candidate& candidate : candidates) times[candidate.row().name] = candidate.best();
}

}  // namespace

TimingCache::Timings TimingCache::timings() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return timings_;
}

const KernelInfo* TimingCache::fastest(const Graph& graph, const Node& node, const std::vector<bool>& constant,
                                       const std::vector<const KernelInfo*>& rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, std::int64_t>& times = timings_[describe(graph, node, constant)];
  const auto known = [&](const KernelInfo* row) { return times.count(row->name) != 0; };
  if (!std::all_of(rows.begin(), rows.end(), known)) measure(graph, node, constant, rows, times);
  const KernelInfo* best = rows[0];
  for (const KernelInfo* row : rows)
    if (static_cast<double>(times[row->name]) * kNoise < static_cast<double>(times[best->name])) best = row;
  return best;
}

}  // namespace fastcnn

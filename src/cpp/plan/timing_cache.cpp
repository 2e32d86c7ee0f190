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

// Memory for values of a type, filled with numbers of moderate size.
struct Dummy {
  Buffer buffer;
  Tensor tensor;

  explicit Dummy(const TensorType& type) : buffer(type.bytes()), tensor{buffer.data(), type} {
    std::memset(buffer.data(), 0, static_cast<std::size_t>(type.bytes()));
    if (type.dtype != DType::F32) return;
    std::uint32_t state = 1;
    for (std::int64_t i = 0; i < type.shape.size(); ++i) {
      state = state * 1664525u + 1013904223u;
      tensor.as<float>()[i] = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
    }
  }
};

// One kernel with operands of its own.
class Run {
 public:
  Run(const KernelInfo& kernel, const Params& params, const std::vector<TensorType>& in,
      const std::vector<TensorType>& out)
      : kernel_(kernel), in_types_(in), out_types_(out) {
    for (const TensorType& type : in) add(type, in_);
    for (const TensorType& type : out) add(type, out_);
    problem_ = {params, in_types_.data(), out_types_.data(), static_cast<int>(in.size()), static_cast<int>(out.size())};
    workspace_ = Buffer(kernel.workspace != nullptr ? kernel.workspace(problem_) : 0);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void operator()() const { kernel_.run({problem_, in_.data(), out_.data(), workspace_.data()}); }

 private:
  void add(const TensorType& type, std::vector<Tensor>& tensors) {
    memory_.push_back(std::make_unique<Dummy>(type));
    tensors.push_back(memory_.back()->tensor);
  }

  const KernelInfo& kernel_;
  std::vector<TensorType> in_types_, out_types_;
  std::vector<std::unique_ptr<Dummy>> memory_;
  std::vector<Tensor> in_, out_;
  Problem problem_;
  Buffer workspace_;
};

// A row computing a node's problem, packing included where that is done at every run.
class Candidate {
 public:
  Candidate(const Graph& graph, const Node& node, const std::vector<bool>& constant, const KernelInfo& row)
      : row_(row) {
    std::vector<TensorType> in = types_of(graph, node.inputs);
    if (row.pack != nullptr) {
      const auto operand = static_cast<std::size_t>(row.pack_input);
      const Params params = row.pack_params != nullptr ? row.pack_params(node.params) : node.params;
      const std::vector<TensorType> raw = {in[operand]}, packed = row.pack->infer(params, raw);
      in[operand] = packed[0];
      if (!constant[operand]) pack_ = std::make_unique<Run>(row.pack->kernels[0], params, raw, packed);
    }
    run_ = std::make_unique<Run>(row, node.params, in, types_of(graph, node.outputs));
  }

  const KernelInfo& row() const { return row_; }
  std::int64_t best() const { return best_; }
  std::int64_t measure() {
    const std::int64_t start = now();
    if (pack_ != nullptr) (*pack_)();
    (*run_)();
    const std::int64_t spent = now() - start;
    best_ = std::min(best_, spent);
    return spent;
  }

 private:
  const KernelInfo& row_;
  std::unique_ptr<Run> pack_, run_;
  std::int64_t best_ = std::numeric_limits<std::int64_t>::max();
};

// The rows take turns; between them other memory is written, so that operands are in a cache no nearer than in a
// network.
void measure(const Graph& graph, const Node& node, const std::vector<bool>& constant,
             const std::vector<const KernelInfo*>& rows, std::map<std::string, std::int64_t>& times) {
  std::vector<std::unique_ptr<Candidate>> candidates;
  for (const KernelInfo* row : rows) candidates.push_back(std::make_unique<Candidate>(graph, node, constant, *row));
  for (const auto& candidate : candidates) candidate->measure();  // touches its memory
  std::int64_t fastest = std::numeric_limits<std::int64_t>::max(), spent = 0;
  for (const auto& candidate : candidates) fastest = std::min(fastest, candidate->best());
  const Buffer swept(kSweptBytes);
  for (int round = 0; round < kMostRounds && (round < kLeastRounds || spent < kBudget); ++round)
    for (const auto& candidate : candidates) {
      if (candidate->best() / kHopeless > fastest) continue;
      std::memset(swept.data(), round, kSweptBytes);
      spent += candidate->measure();
    }
  for (const auto& candidate : candidates) times[candidate->row().name] = candidate->best();
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

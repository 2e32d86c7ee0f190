// Measured times of kernels: which row is fastest here, for problems met before.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace fastcnn {

// Nanoseconds by problem, then by kernel. The choice depends on what is in here alone, so that a cache that was saved
// makes the same plans again. Thread-safe; one measurement runs at a time.
class TimingCache {
 public:
  using Timings = std::map<std::string, std::map<std::string, std::int64_t>>;

  TimingCache() = default;
  explicit TimingCache(Timings timings) : timings_(std::move(timings)) {}
  Timings timings() const;

  // The fastest of the rows, which all take the node's problem and come best first: measured, unless known. An earlier
  // row stays where a later one is faster by no more than noise. `constant` says which operands are packed once.
  const KernelInfo* fastest(const Graph& graph, const Node& node, const std::vector<bool>& constant,
                            const std::vector<const KernelInfo*>& rows);

 private:
  mutable std::mutex mutex_;
  Timings timings_;
};

}  // namespace fastcnn

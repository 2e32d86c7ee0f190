// The stages of compile() after the graph passes; one file each.
#pragma once

#include "plan/plan.h"

namespace fastcnn {

// Sets every node's kernel: the first row of its op's table that the options allow and that takes the problem - or the
// fastest measured of these, where the options bring timings - with the reasons of those passed over. Adds the pack
// nodes that chosen kernels ask for.
void choose_kernels(Graph& graph, const CompileOptions& options);

// 128 bits of a text.
std::string digest(const std::string& text);

// Runs the nodes whose operands are all constant, now, and puts their results in their place.
void fold_constants(Graph& graph, ConstantCache& cache);

// Where every value lives: views share their source's memory, element-wise results overwrite their operands (a
// variable's new value the old one), operands of a concatenation are produced in place where that is contiguous or
// their kernels take a pitch, values that never live together share the arena.
struct MemoryPlan {
  std::vector<Location> values;  // by ValueId
  std::vector<Copy> copies;
  std::vector<std::int64_t> workspaces;  // arena offset, by node
  std::int64_t arena_bytes = 0;
};
MemoryPlan plan_memory(const Graph& graph, std::span<const std::int64_t> workspace_bytes,
                       std::span<const int> stored_index);

}  // namespace fastcnn

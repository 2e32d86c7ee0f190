// Which results of the forward pass a gradient finds in memory, and which it computes once more.
#pragma once

#include "graph/graph.h"

namespace fastcnn {

enum class Recompute {
  Nothing,      // all that the backward pass reads is kept
  Activations,  // results of products are kept; what lies between them is computed again from these
  Segments,     // the forward pass is cut into about sqrt(n) segments; only what passes from one to a later one is kept
};

// By value of the graph: whether it is kept.
std::vector<bool> find_kept(const Graph& graph, Recompute recompute);

}  // namespace fastcnn

// The gradient of a graph, as more of the graph.
#pragma once

#include "graph/recompute.h"

namespace fastcnn {

// Adds the nodes that compute the gradient of `target`, one float32 number, with respect to each of `sources`, and
// returns these gradients in their order: of the sources' types, zeros where the target does not depend on a source.
// Reverse accumulation: the rule of every op on the way (Op::gradient) is asked once for each node, last node first.
// What of the forward pass is not kept is computed again where it is first needed: the same nodes, so the same bits.
// Throws Error(Unsupported) naming op and node where an op on the way has no rule.
std::vector<ValueId> differentiate(Graph& graph, ValueId target, const std::vector<ValueId>& sources,
                                   Recompute recompute = Recompute::Nothing);

}  // namespace fastcnn

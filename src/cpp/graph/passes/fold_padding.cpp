#include <cstring>

#include "graph/passes.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/pad/pad.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// The window of a convolution that may carry padding; nullptr for other ops.
Window2d* window_of(Node& node) {
  if (node.op == &conv2d_op) return &node.params.edit<Conv2dParams>().window;
  if (node.op == &depthwise_conv2d_op) return &node.params.edit<DepthwiseParams>().window;
  return nullptr;
}

bool is_zero_border(const Node* node) {
  if (node == nullptr || node->op != &pad_op) return false;
  const auto& p = node->params.as<PadParams>();
  const unsigned char zero[sizeof p.value] = {};
  return p.mode == PadMode::Constant && std::memcmp(p.value, zero, sizeof zero) == 0 && p.before[0] == 0 &&
         p.after[0] == 0 && p.before[3] == 0 && p.after[3] == 0;
}

}  // namespace

void fold_padding(Graph& graph) {
  for (Node& node : graph.take_nodes()) {
    Window2d* window = window_of(node);
    const Node* pad = window != nullptr ? graph.producer(node.inputs[0]) : nullptr;
    if (is_zero_border(pad)) {
      const auto& p = pad->params.as<PadParams>();
      window->h.before += p.before[1], window->h.after += p.after[1];
      window->w.before += p.before[2], window->w.after += p.after[2];
      node.inputs[0] = pad->inputs[0];
    }
    graph.append(std::move(node));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn

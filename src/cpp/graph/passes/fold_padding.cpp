#include <cstring>

#include "graph/passes.h"
#include "ops/activation/activation.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/pad/pad.h"
#include "ops/pool2d/pool2d.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// Whether every element of the value is >= 0 (or NaN), so that a zero never wins a maximum over it.
bool is_non_negative(const Graph& graph, ValueId id) {
  const Node* node = graph.producer(id);
  if (node == nullptr) return false;
  Activation last = Activation::Linear;
  if (node->op == &activation_op) {
    last = node->params.as<ActivationParams>().kind;
  } else if (node->op->epilogue != nullptr) {
    Params params = node->params;
    last = node->op->epilogue(params).activation;
  }
  return last == Activation::Relu || last == Activation::Relu6 || last == Activation::Sigmoid ||
         last == Activation::HardSigmoid;
}

// The window of a node that may carry the border itself; nullptr for other nodes.
Window2d* window_of(const Graph& graph, Node& node, const Node& pad) {
  if (node.op == &conv2d_op) return &node.params.edit<Conv2dParams>().window;
  if (node.op == &depthwise_conv2d_op) return &node.params.edit<DepthwiseParams>().window;
  if (node.op == &max_pool2d_op && is_non_negative(graph, pad.inputs[0])) {
    // Pooling ignores padding: the same as zeros unless a window sees nothing else.
    Window2d& window = node.params.edit<Pool2dParams>().window;
    const auto& p = pad.params.as<PadParams>();
    const bool sees_pixels = max_i64(p.before[1], p.after[1]) < window.h.size && window.h.dilation == 1 &&
                             max_i64(p.before[2], p.after[2]) < window.w.size && window.w.dilation == 1;
    const bool unpadded = window.h.before + window.h.after + window.w.before + window.w.after == 0;
    return sees_pixels && unpadded && !node.params.as<Pool2dParams>().ceil_mode ? &window : nullptr;
  }
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
    const Node* pad = node.inputs.empty() ? nullptr : graph.producer(graph.resolve(node.inputs[0]));
    Window2d* window = is_zero_border(pad) ? window_of(graph, node, *pad) : nullptr;
    if (window != nullptr) {
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

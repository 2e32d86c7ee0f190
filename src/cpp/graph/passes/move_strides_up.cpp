#include <algorithm>
#include <numeric>

#include "graph/passes.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/pool2d/pool2d.h"
#include "ops/rooms.h"
#include "ops/slice/slice.h"

namespace fastcnn {
namespace {

// The rows and columns of a picture that are read: every h-th and every w-th, from the first on.
struct Grid {
  std::int64_t h = 0, w = 0;  // 0: none so far

  void join(const Grid& other) { h = std::gcd(h, other.h), w = std::gcd(w, other.w); }
  bool operator==(const Grid&) const = default;
};

constexpr Grid kAll{1, 1};

// The window of an op that computes every output pixel by itself; nullptr for other ops.
const Window2d* window_of(const Node& node) {
  if (node.op == &conv2d_op) return &node.params.as<Conv2dParams>().window;
  if (node.op == &depthwise_conv2d_op) return &node.params.as<DepthwiseParams>().window;
  if (node.op != &max_pool2d_op && node.op != &avg_pool2d_op) return nullptr;
  const auto& pool = node.params.as<Pool2dParams>();
  return pool.ceil_mode == 0 ? &pool.window : nullptr;
}

Window2d& edit_window(Node& node) {
  if (node.op == &conv2d_op) return node.params.edit<Conv2dParams>().window;
  if (node.op == &depthwise_conv2d_op) return node.params.edit<DepthwiseParams>().window;
  return node.params.edit<Pool2dParams>().window;
}

bool is_element_wise(const Op* op) {
  const Op* const ops[] = {&activation_op, &unary_op, &scale_shift_op, &add_op,     &sub_op,
                           &mul_op,        &div_op,   &maximum_op,     &minimum_op, &prelu_op};
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

bool is_residual(const Node& node, std::size_t k) {
  if (node.op->epilogue == nullptr || k + 1 != node.inputs.size()) return false;
  Params params = node.params;
  return node.op->epilogue(params).residual != 0;
}

// What is read along one axis of a window's picture when every `out`-th result is computed.
std::int64_t step_of(const WindowAxis& axis, std::int64_t out) {
  const bool is_pixel = axis.size == 1 && axis.before == 0 && axis.after == 0;
  return is_pixel ? axis.stride * out : 1;
}

class StrideMover {
 public:
  explicit StrideMover(Graph& graph) : graph_(graph), read_(static_cast<std::size_t>(graph.num_values())) {
    for (const ValueId id : graph_.results()) read(id) = kAll;
    for (std::size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (!can_thin(node))
        for (const ValueId id : node.outputs) read(id) = kAll;
      for (std::size_t k = 0; k < node.inputs.size(); ++k)
        read(node.inputs[k]).join(graph_.producer(node.inputs[k]) != nullptr ? asked(node, k) : kAll);
    }
  }

  void rewrite() {
    for (Node& node : graph_.take_nodes()) {
      const Grid own = read(node.outputs[0]);
      if (const Window2d* window = window_of(node); window != nullptr) {
        const Grid given = read(node.inputs[0]);
        const std::int64_t h = window->h.stride * own.h / given.h, w = window->w.stride * own.w / given.w;
        edit_window(node).h.stride = h, edit_window(node).w.stride = w;
      }
      if (own == kAll) {
        graph_.append(std::move(node));
        continue;
      }
      for (std::size_t k = window_of(node) != nullptr ? 1 : 0; k < node.inputs.size(); ++k) thin(node, k);
      for (ValueId& id : node.inputs) id = graph_.resolve(id);
      graph_.replace(node.outputs[0], graph_.add(*node.op, node.params, node.inputs, node.name)[0]);
    }
    graph_.finish_rewrite();
  }

 private:
  Grid& read(ValueId id) { return read_[static_cast<std::size_t>(id)]; }
  const Shape& shape(ValueId id) const { return graph_.value(id).type.shape; }

  // Whether operand and result of an element-wise op have the same pixels.
  bool has_pixels(const Node& node, ValueId operand) const {
    const Shape &x = shape(operand), &y = shape(node.outputs[0]);
    return x.rank == 4 && x[1] == y[1] && x[2] == y[2];
  }
  bool is_same_for_all_pixels(ValueId operand) const {
    const Shape& x = shape(operand);
    return (x.rank < 2 || x[x.rank - 2] == 1) && (x.rank < 3 || x[x.rank - 3] == 1);
  }

  // Whether the node can leave out results that nobody reads.
  bool can_thin(const Node& node) {
    const Grid out = read(node.outputs[0]);
    if (node.outputs.size() != 1 || out.h == 0 || shape(node.outputs[0]).rank != 4) return false;
    if (const Window2d* window = window_of(node); window != nullptr) {
      constexpr std::int64_t kLimit = std::int64_t{1} << 31;  // of strides, as for users
      return window->h.stride < kLimit / out.h && window->w.stride < kLimit / out.w;
    }
    return is_element_wise(node.op) && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
             return has_pixels(node, id) || is_same_for_all_pixels(id);
           });
  }

  // What the node reads of operand `k`.
  Grid asked(const Node& node, std::size_t k) {
    const Grid out = read(node.outputs[0]);
    const ValueId operand = node.inputs[k];
    if (const Window2d* window = window_of(node); window != nullptr) {
      if (k == 0) return {step_of(window->h, out.h), step_of(window->w, out.w)};
      return is_residual(node, k) ? out : kAll;
    }
    return is_element_wise(node.op) && has_pixels(node, operand) ? out : kAll;
  }

  // Another reads more of the operand than the node does: takes out the pixels that the node reads.
  void thin(Node& node, std::size_t k) {
    const ValueId operand = node.inputs[k];
    const Grid out = asked(node, k), given = read(operand);
    if (out == given) return;
    SliceParams slice;
    const Shape& x = shape(graph_.resolve(operand));
    for (int i = 0; i < x.rank; ++i) slice.step[i] = 1;
    slice.step[1] = out.h / given.h, slice.step[2] = out.w / given.w;
    for (int i = 0; i < x.rank; ++i) slice.size[i] = ceil_div(x[i], slice.step[i]);
    node.inputs[k] = graph_.add(slice_op, Params(slice), {graph_.resolve(operand)}, node.name)[0];
  }

  Graph& graph_;
  std::vector<Grid> read_;  // by value: what its users read of it, and its node is to compute
};

}  // namespace

void move_strides_up(Graph& graph) { StrideMover(graph).rewrite(); }

}  // namespace fastcnn

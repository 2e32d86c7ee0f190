#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "graph/passes.h"
#include "ops/conv2d/conv2d.h"
#include "ops/conv2d_int8/conv2d_int8.h"
#include "ops/conv2d_transpose/conv2d_transpose.h"
#include "ops/conv2d_transpose/conv2d_transpose_phases.h"
#include "ops/dense/dense.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"
#include "ops/rooms.h"

namespace fastcnn {

Quantization codes_for(double low, double high) {
  low = std::min(low, 0.0), high = std::max(high, 0.0);
  Quantization q;
  const auto scale = static_cast<float>((high - low) / 255.0);
  if (!std::isnormal(scale) || !std::isnormal(1.0f / scale)) return q;  // nothing but zeros
  q.scale = scale;
  q.zero_point = static_cast<std::int32_t>(std::min(255.0, std::nearbyint(-low / scale)));
  return q;
}

namespace {

// ---- names ---------------------------------------------------------------------------------------

// By value; empty where a QuantizationSpec has no name for it: constants, what is computed from constants alone.
std::vector<std::string> value_names(const Graph& graph) {
  std::vector<std::string> names(static_cast<std::size_t>(graph.num_values()));
  std::vector<bool> constant(names.size());
  std::map<std::string, int> seen;
  const auto name = [&](ValueId id, const std::string& base) {
    const int number = seen[base]++;
    names[static_cast<std::size_t>(id)] = number == 0 ? base : cat(base, ':', number);
  };
  for (ValueId id = 0; id < graph.num_values(); ++id) constant[static_cast<std::size_t>(id)] = graph.is_constant(id);
  for (const ValueId id : graph.inputs()) name(id, "input");
  for (const Node& node : graph.nodes()) {
    const bool folds = std::all_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ValueId id) { return constant[static_cast<std::size_t>(id)]; });
    for (const ValueId id : node.outputs) {
      if (folds)
        constant[static_cast<std::size_t>(id)] = true;
      else
        name(id, node.name.empty() ? node.op->name : node.name);
    }
  }
  return names;
}

bool stays_float(const QuantizationSpec& spec, const std::string& name) {
  for (std::size_t end = name.size(); end != std::string::npos && end > 0; end = name.rfind('/', end - 1))
    if (spec.float_layers.contains(name.substr(0, end))) return true;
  return false;
}

// ---- products ------------------------------------------------------------------------------------

bool is_constant(const std::vector<std::string>& names, ValueId id) {
  return static_cast<std::size_t>(id) < names.size() && names[static_cast<std::size_t>(id)].empty();
}

Epilogue epilogue_of(const Node& node) {
  Params params = node.params;
  return node.op->epilogue(params);
}

// Whether a transposed convolution is a convolution whose filters are the pixels that a pixel becomes.
bool has_phases(const Graph& graph, const Node& node) {
  const auto& p = node.params.as<Conv2dTransposeParams>();
  const auto& [h, w] = p.window;
  const std::int64_t depth = SubpixelAxis(h).taps() * SubpixelAxis(w).taps() * p.channels;
  return p.groups == 1 && h.dilation == 1 && w.dilation == 1 && h.stride == w.stride && h.stride > 1 &&
         p.out_h % h.stride == 0 && p.out_w % w.stride == 0 && SubpixelAxis(h).first <= 0 &&
         SubpixelAxis(w).first <= 0 && !p.epilogue.residual && depth <= kInt8MaxDepth &&
         graph.value(node.outputs[0]).type.shape.size() > 0;
}

// Whether the node is a product that has a form on codes.
bool is_product(const Graph& graph, const std::vector<std::string>& names, const Node& node) {
  const Op* const products[] = {&conv2d_op, &dense_op, &depthwise_conv2d_op, &conv2d_transpose_op};
  if (std::find(std::begin(products), std::end(products), node.op) == std::end(products)) return false;
  if (graph.value(node.inputs[0]).type.shape.size() == 0) return false;
  const auto weights = static_cast<std::size_t>(1 + epilogue_of(node).bias);
  for (std::size_t i = 1; i <= weights; ++i)
    if (!is_constant(names, node.inputs[i])) return false;
  if (is_constant(names, node.inputs[0])) return false;
  if (node.op == &dense_op) return node.params.as<DenseParams>().depth <= kInt8MaxDepth;
  if (node.op == &conv2d_transpose_op) return has_phases(graph, node);
  if (node.op == &depthwise_conv2d_op) {
    const Window2d& window = node.params.as<DepthwiseParams>().window;
    return graph.value(node.inputs[1]).type.shape[3] == 1 && window.h.size * window.w.size <= kInt8MaxDepth;
  }
  const auto& p = node.params.as<Conv2dParams>();
  return p.groups == 1 && p.depth() <= kInt8MaxDepth;
}

ValueId reshaped(Graph& graph, ValueId id, const std::vector<std::int64_t>& shape, const std::string& name) {
  Attrs attrs;
  attrs["shape"] = shape;
  return graph.add(reshape_op, attrs, {id}, name)[0];
}

// A value on codes.
struct Coded {
  ValueId id;
  Quantization q;
};

// Appends `node`, a product, on codes. `residual` is its residual as codes, where there are any; `y` are the codes of
// the result, which else is in floats.
ValueId add_product(Graph& graph, const Node& node, const Coded& x, const std::optional<Coded>& residual,
                    const std::optional<Quantization>& y) {
  Int8Epilogue end;
  end.epilogue = epilogue_of(node);
  end.x = x.q;
  if (residual) end.residual = residual->q;
  end.codes = y.has_value();
  if (y) end.y = *y;
  ValueId operand = x.id, weights = node.inputs[1], extra = residual ? residual->id : node.inputs.back();
  const Op* op = &conv2d_int8_op;
  Params params;
  std::int64_t channel_axes = 1;
  ValueId bias = end.epilogue.bias ? node.inputs[2] : -1;
  std::optional<Shape> shape;
  std::int64_t block = 1;
  if (node.op == &conv2d_transpose_op) {
    const auto& conv = node.params.as<Conv2dTransposeParams>();
    const auto& [h, w] = conv.window;
    block = h.stride;
    weights = graph.add(conv2d_transpose_phases_op, Params(conv.window), {weights}, node.name)[0];
    if (end.epilogue.bias) {
      const std::vector<ValueId> repeated(static_cast<std::size_t>(block * block), bias);
      bias = graph.add(concat_op, Attrs{{"axis", std::int64_t{0}}}, repeated, node.name)[0];
    }
    const Shape& x_shape = graph.value(operand).type.shape;
    const Window2d window{SubpixelAxis(h).window(x_shape[1], conv.out_h / block),
                          SubpixelAxis(w).window(x_shape[2], conv.out_w / block)};
    params = Params(Conv2dInt8Params{window, conv.channels, block * block * conv.filters, end});
  } else if (node.op == &dense_op) {
    const auto& dense = node.params.as<DenseParams>();
    operand = reshaped(graph, operand, {dense.rows, 1, 1, dense.depth}, node.name);
    weights = reshaped(graph, weights, {1, 1, dense.depth, dense.columns}, node.name);
    if (end.epilogue.residual) extra = reshaped(graph, extra, {dense.rows, 1, 1, dense.columns}, node.name);
    shape = dense.y;
    params = Params(Conv2dInt8Params{Window2d(), dense.depth, dense.columns, end});
  } else if (node.op == &depthwise_conv2d_op) {
    op = &depthwise_conv2d_int8_op;
    channel_axes = 2;
    params = Params(DepthwiseInt8Params{node.params.as<DepthwiseParams>().window, end});
  } else {
    const auto& conv = node.params.as<Conv2dParams>();
    params = Params(Conv2dInt8Params{conv.window, conv.channels, conv.filters, end});
  }
  const std::vector<ValueId> kernel =
      graph.add(quantize_weights_op, Attrs{{"channel_axes", channel_axes}}, {weights}, node.name);
  std::vector<ValueId> inputs = {operand, kernel[0], kernel[1]};
  if (end.epilogue.bias) inputs.push_back(bias);
  if (end.epilogue.residual) inputs.push_back(extra);
  const ValueId result = graph.add(*op, params, inputs, node.name)[0];
  if (block > 1) return graph.add(depth_to_space_op, Attrs{{"block_size", block}}, {result}, node.name)[0];
  return shape ? reshaped(graph, result, {shape->dims, shape->dims + shape->rank}, node.name) : result;
}

Attrs attrs_of(const Quantization& q) {
  return {{"scale", double{q.scale}}, {"zero_point", std::int64_t{q.zero_point}}};
}

ValueId add_codes(Graph& graph, ValueId id, const Quantization& q, const std::string& name) {
  return graph.add(quantize_op, attrs_of(q), {id}, name)[0];
}

// ---- what only moves or compares numbers ---------------------------------------------------------

// The op that does on codes what `op` does on floats, all operands and the result having one scale; else nullptr.
const Op* moving_op(const Op* op) {
  if (op == &max_pool2d_op) return &max_pool2d_int8_op;
  const Op* const any[] = {&concat_op, &reshape_op, &slice_op, &transpose_op, &space_to_depth_op, &depth_to_space_op};
  return std::find(std::begin(any), std::end(any), op) != std::end(any) ? op : nullptr;
}

class Quantizer {
 public:
  Quantizer(Graph& graph, const QuantizationSpec& spec)
      : graph_(graph),
        spec_(spec),
        names_(value_names(graph)),
        root_(names_.size()),
        range_(names_.size()),
        wanted_(names_.size()),
        codes_(names_.size()),
        in_floats_(names_.size(), true) {
    join_ranges();
    find_wanted();
  }

  void rewrite() {
    std::vector<Node> nodes = graph_.take_nodes();
    for (Node& node : nodes) {
      if (is_quantized(node))
        append_product(node);
      else if (moves_codes(node))
        append_move(node);
      else
        append_float(node);
    }
    for (const ValueId id : graph_.results()) need_floats(id);
    graph_.finish_rewrite();
  }

 private:
  template <class T>
  static auto at(T& by_value, ValueId id) -> decltype(by_value[0]) {
    return by_value[static_cast<std::size_t>(id)];
  }

  // Values that must have one scale have one root, and the range of all of them.
  ValueId root(ValueId id) {
    while (at(root_, id) != id) id = at(root_, id) = at(root_, at(root_, id));
    return id;
  }

  void join_ranges() {
    std::iota(root_.begin(), root_.end(), 0);
    for (const Node& node : graph_.nodes())
      if (moving_op(node.op) != nullptr)
        for (const ValueId id : node.inputs) at(root_, root(id)) = root(node.outputs[0]);
    for (ValueId id = 0; id < static_cast<ValueId>(names_.size()); ++id) {
      const auto found = spec_.ranges.find(at(names_, id));
      if (at(names_, id).empty() || found == spec_.ranges.end()) continue;
      auto& range = at(range_, root(id));
      if (!range) range = found->second;
      range->first = std::min(range->first, found->second.first);
      range->second = std::max(range->second, found->second.second);
    }
  }

  std::optional<Quantization> codes_of(ValueId id) {
    const auto& range = at(range_, root(id));
    return range ? std::optional(codes_for(range->first, range->second)) : std::nullopt;
  }

  bool is_quantized(const Node& node) {
    return is_product(graph_, names_, node) && !stays_float(spec_, node.name) && at(range_, root(node.inputs[0]));
  }

  bool moves_codes(const Node& node) {
    return moving_op(node.op) != nullptr && at(wanted_, node.outputs[0]) && at(range_, root(node.outputs[0]));
  }

  // The values that products read, and those that become them by moving.
  void find_wanted() {
    for (std::size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (is_quantized(node)) {
        at(wanted_, node.inputs[0]) = true;
        if (epilogue_of(node).residual && at(range_, root(node.inputs.back()))) at(wanted_, node.inputs.back()) = true;
      } else if (moves_codes(node)) {
        for (const ValueId id : node.inputs) at(wanted_, id) = true;
      }
    }
  }

  // The value on codes: as it was computed, or made from floats.
  Coded need_codes(ValueId id, const std::string& name) {
    auto& coded = at(codes_, id);
    if (!coded) {
      const Quantization q = *codes_of(id);
      coded = Coded{add_codes(graph_, id, q, name), q};
    }
    return *coded;
  }

  void need_floats(ValueId id) {
    if (static_cast<std::size_t>(id) >= names_.size() || at(in_floats_, id)) return;
    at(in_floats_, id) = true;
    const Coded& coded = *at(codes_, id);
    graph_.replace(id, graph_.add(dequantize_op, attrs_of(coded.q), {coded.id}, at(names_, id))[0]);
  }

  void append_product(Node& node) {
    const Coded x = need_codes(node.inputs[0], node.name);
    std::optional<Coded> residual;
    if (epilogue_of(node).residual) {
      residual = at(codes_, node.inputs.back());
      if (!residual) need_floats(node.inputs.back());
    }
    for (ValueId& id : node.inputs) id = graph_.resolve(id);
    const ValueId y = node.outputs[0];
    const std::optional<Quantization> q = at(wanted_, y) ? codes_of(y) : std::nullopt;
    const ValueId result = add_product(graph_, node, x, residual, q);
    if (q)
      at(codes_, y) = Coded{result, *q}, at(in_floats_, y) = false;
    else
      graph_.replace(y, result);
  }

  void append_move(const Node& node) {
    std::vector<ValueId> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(need_codes(id, node.name).id);
    const ValueId y = node.outputs[0];
    at(codes_, y) = Coded{graph_.add(*moving_op(node.op), node.params, inputs, node.name)[0], *codes_of(y)};
    at(in_floats_, y) = false;
  }

  void append_float(Node& node) {
    for (const ValueId id : node.inputs) need_floats(id);
    graph_.append(std::move(node));
  }

  Graph& graph_;
  const QuantizationSpec& spec_;
  std::vector<std::string> names_;
  // All by value.
  std::vector<ValueId> root_;
  std::vector<std::optional<std::pair<double, double>>> range_;  // of the root
  std::vector<bool> wanted_;                                     // on codes
  std::vector<std::optional<Coded>> codes_;
  std::vector<bool> in_floats_;
};

}  // namespace

void quantize_products(Graph& graph, const QuantizationSpec& spec) { Quantizer(graph, spec).rewrite(); }

std::vector<std::string> observe_values(Graph& graph) {
  const std::vector<std::string> names = value_names(graph);
  std::vector<std::string> observed;
  std::vector<ValueId> outputs;
  for (ValueId id = 0; id < static_cast<ValueId>(names.size()); ++id) {
    const std::string& name = names[static_cast<std::size_t>(id)];
    if (name.empty() || graph.value(id).type.dtype != DType::F32) continue;
    observed.push_back(name);
    outputs.push_back(id);
  }
  graph.set_outputs(outputs);
  return observed;
}

std::vector<std::string> observe_products(Graph& graph, const QuantizationSpec& spec) {
  const std::vector<std::string> names = value_names(graph);
  std::vector<std::string> observed;
  std::vector<ValueId> outputs;
  for (Node& taken : graph.take_nodes()) {
    const Node node = taken;
    graph.append(std::move(taken));
    if (!is_product(graph, names, node)) continue;
    const auto range = spec.ranges.find(names[static_cast<std::size_t>(node.inputs[0])]);
    if (range == spec.ranges.end()) continue;
    const Quantization q = codes_for(range->second.first, range->second.second);
    const Coded x{add_codes(graph, node.inputs[0], q, node.name), q};
    outputs.push_back(add_product(graph, node, x, std::nullopt, std::nullopt));
    observed.push_back(names[static_cast<std::size_t>(node.outputs[0])]);
  }
  graph.set_outputs(outputs);
  graph.finish_rewrite();
  return observed;
}

}  // namespace fastcnn

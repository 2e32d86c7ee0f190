#include "ops/depthwise_conv2d/depthwise_gradients.h"

#include "ops/conv2d/conv2d.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_weight(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 2);
  require_rank(op, "x", inputs[0], 4);
  require_rank(op, "dy", inputs[1], 4);
  DepthwiseGradientParams p;
  const auto [height, width] = attrs.pair("kernel_size", 1, 1);
  p.window = parse_window(attrs, inputs[0].shape, height, width, 1, 1);
  p.height = inputs[0].shape[1], p.width = inputs[0].shape[2];
  return Params(p);
}

std::vector<TensorType> infer_weight(const Params& params, std::span<const TensorType> inputs) {
  const char* op = "depthwise_conv2d_weight_gradient";
  const auto& p = params.as<DepthwiseGradientParams>();
  require_storage(op, inputs, 3u);
  const Shape &x = inputs[0].shape, &dy = inputs[1].shape;
  Shape y = x;
  y[1] = window_output(op, "height", p.window.h, x[1]);
  y[2] = window_output(op, "width", p.window.w, x[2]);
  const std::int64_t multiplier = x[3] > 0 ? dy[3] / x[3] : 0;
  y[3] = x[3] * multiplier;
  require(dy == y, ErrorKind::Shape, op, ": expected dy of shape (", y[0], ", ", y[1], ", ", y[2], ", a multiple of ",
          x[3], ") for x of shape ", x, ", got shape ", dy);
  Shape w;
  for (const std::int64_t size : {p.window.h.size, p.window.w.size, x[3], multiplier}) w.push_back(size);
  return {f32(w)};
}

Params parse_data(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 2);
  require_rank(op, "dy", inputs[0], 4);
  require_rank(op, "w (kh, kw, channels, multiplier)", inputs[1], 4);
  const Shape& w = inputs[1].shape;
  require(w[0] > 0 && w[1] > 0, ErrorKind::Shape, op, ": w must have at least one tap, got shape ", w);
  DepthwiseGradientParams p;
  const auto [height, width] = attrs.pair("size", 0, 0);
  Shape x = inputs[0].shape;
  x[1] = p.height = height, x[2] = p.width = width;
  p.window = parse_window(attrs, x, w[0], w[1], 1, 1);
  return Params(p);
}

std::vector<TensorType> infer_data(const Params& params, std::span<const TensorType> inputs) {
  const char* op = "depthwise_conv2d_data_gradient";
  const auto& p = params.as<DepthwiseGradientParams>();
  require_storage(op, inputs, 1u);
  const Shape &dy = inputs[0].shape, &w = inputs[1].shape;
  Shape x = dy, y = dy;
  x[1] = p.height, x[2] = p.width, x[3] = w[2];
  y[1] = window_output(op, "height", p.window.h, p.height);
  y[2] = window_output(op, "width", p.window.w, p.width);
  y[3] = w[2] * w[3];
  require(dy == y, ErrorKind::Shape, op, ": expected dy of shape ", y, " for w of shape ", w, ", got shape ", dy);
  return {{inputs[0].dtype, x}};
}

// Of one input, dy or x: each of its pixels meets every tap.
std::int64_t flops(const Problem& problem) {
  const Window2d& window = problem.as<DepthwiseGradientParams>().window;
  return 2 * window.h.size * window.w.size * problem.inputs[0].shape.size();
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

#if FC_X86
const char* several_filters(const Problem& problem) {
  return problem.inputs[1].shape[3] == 1 ? nullptr : "takes one filter a channel";
}

std::uint32_t both_pictures(const Problem& problem) { return problem.outputs[0].shape[3] == 1 ? 3 : 0; }
#endif

constexpr KernelInfo kWeightKernels[] = {
#if FC_X86
    {.name = "depthwise_conv2d_weight_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::depthwise_conv2d_weight_gradient,
     .workspace = avx512::depthwise_conv2d_weight_gradient_workspace,
     .bf16_alike = both_pictures},
    {.name = "depthwise_conv2d_weight_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::depthwise_conv2d_weight_gradient,
     .workspace = avx2::depthwise_conv2d_weight_gradient_workspace,
     .bf16_alike = both_pictures},
#endif
    {.name = "depthwise_conv2d_weight_gradient_f32_ref", .run = ref::depthwise_conv2d_weight_gradient},
};

constexpr KernelInfo kDataKernels[] = {
#if FC_X86
    {.name = "depthwise_conv2d_data_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::depthwise_conv2d_data_gradient,
     .declines = several_filters,
     .bf16_alike = first_operands<1>},
    {.name = "depthwise_conv2d_data_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::depthwise_conv2d_data_gradient,
     .declines = several_filters,
     .bf16_alike = first_operands<1>},
#endif
    {.name = "depthwise_conv2d_data_gradient_f32_ref", .run = ref::depthwise_conv2d_data_gradient},
};

// ---- the rule -------------------------------------------------------------------------------

ValueId picture_gradient(NodeGradient& node, const DepthwiseGradientParams& p, ValueId dy) {
  const Shape &y = node.output_shape(), &filters = node.input_shape(1);
  const WindowAxis h = adjoint_axis(p.window.h, p.height, y[1]), w = adjoint_axis(p.window.w, p.width, y[2]);
  const bool padded = min_i64(min_i64(h.before, h.after), min_i64(w.before, w.after)) >= 0;
  if (h.stride != 1 || w.stride != 1 || !padded || filters[3] != 1)
    return node.add(depthwise_conv2d_data_gradient_op, Params(p), {dy, node.input(1)});
  // The convolution with the filters turned: as a kernel of conv2d each channel is a group.
  const Attrs as_groups{{"shape", std::vector<std::int64_t>{filters[0], filters[1], 1, filters[2]}}};
  const Attrs as_filters{{"shape", std::vector<std::int64_t>{filters[0], filters[1], filters[2], 1}}};
  const ValueId kernel = node.add(reshape_op, as_groups, {node.input(1)});
  const ValueId turned = node.add(conv2d_adjoint_kernel_op, {{"groups", filters[2]}}, {kernel});
  DepthwiseParams adjoint;
  adjoint.window = {h, w};
  return node.add(depthwise_conv2d_op, Params(adjoint), {dy, node.add(reshape_op, as_filters, {turned})});
}

}  // namespace

void depthwise_conv2d_gradient(NodeGradient& node) {
  const auto& params = node.params().as<DepthwiseParams>();
  const Shape& x = node.input_shape(0);
  const ValueId dy = node.upstream();
  set_epilogue_gradients(node, params.epilogue, 2, dy);
  const DepthwiseGradientParams p{params.window, x[1], x[2]};
  if (node.wants(0)) node.set(0, picture_gradient(node, p, dy));
  if (node.wants(1)) node.set(1, node.add(depthwise_conv2d_weight_gradient_op, Params(p), {node.input(0), dy}));
}

const Op depthwise_conv2d_weight_gradient_op{.name = "depthwise_conv2d_weight_gradient",
                                             .parse = parse_weight,
                                             .infer = infer_weight,
                                             .kernels = kWeightKernels,
                                             .flops = flops};
const Op depthwise_conv2d_data_gradient_op{.name = "depthwise_conv2d_data_gradient",
                                           .parse = parse_data,
                                           .infer = infer_data,
                                           .kernels = kDataKernels,
                                           .flops = flops};

}  // namespace fastcnn

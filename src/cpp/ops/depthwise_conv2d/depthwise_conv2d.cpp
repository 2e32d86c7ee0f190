#include "ops/depthwise_conv2d/depthwise_conv2d.h"

#include "ops/depthwise_conv2d/depthwise_gradients.h"
#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_depthwise(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 4);
  require_rank(attrs.op(), "x", inputs[0], 4);
  require_rank(attrs.op(), "w (kh, kw, channels, multiplier)", inputs[1], 4);
  const Shape& w = inputs[1].shape;
  require(w[0] > 0 && w[1] > 0, ErrorKind::Shape, "depthwise_conv2d: w must have at least one tap, got shape ", w);
  DepthwiseParams p;
  p.window = parse_window(attrs, inputs[0].shape, w[0], w[1], 1, 1);
  p.epilogue = parse_epilogue(attrs, static_cast<int>(inputs.size()), 2);
  p.epilogue.result = parse_storage(attrs);
  return Params(p);
}

std::vector<TensorType> infer_depthwise(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<DepthwiseParams>();
  require_product_storage("depthwise_conv2d", p.epilogue, inputs);
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  require(w[2] == x[3], ErrorKind::Shape, "depthwise_conv2d: w of shape ", w, " (kh, kw, channels, multiplier) is for ",
          w[2], " channels, but x of shape ", x, " has ", x[3]);
  Shape y = x;
  y[1] = window_output("depthwise_conv2d", "height", p.window.h, x[1]);
  y[2] = window_output("depthwise_conv2d", "width", p.window.w, x[2]);
  y[3] = x[3] * w[3];
  require_epilogue_operands("depthwise_conv2d", p.epilogue, inputs, 2, y);
  return {{p.epilogue.result, y}};
}

std::int64_t depthwise_flops(const Problem& problem) {
  const auto& p = problem.as<DepthwiseParams>();
  return 2 * p.window.h.size * p.window.w.size * problem.outputs[0].shape.size();
}

Epilogue& depthwise_epilogue(Params& params) { return params.edit<DepthwiseParams>().epilogue; }

// ---- the kernel table -----------------------------------------------------------------------

#if FC_X86
// With several filters a channel, x is first repeated to the result's channels.
std::int64_t repeated_input(const Problem& problem) {
  const std::int64_t multiplier = problem.inputs[1].shape[3];
  return multiplier == 1 ? 0 : problem.inputs[0].shape.size() * multiplier * 4;
}

const char* not_tiled(const Problem& problem) {
  const WindowAxis &h = problem.as<DepthwiseParams>().window.h, &w = problem.as<DepthwiseParams>().window.w;
  if (h.size != w.size || (h.size != 3 && h.size != 5)) return "has tiles for windows of 3x3 and 5x5";
  if (h.stride != w.stride || h.stride > 2) return "has tiles for strides 1 and 2";
  if (h.dilation != 1 || w.dilation != 1) return "has no tiles for dilation";
  return nullptr;
}

const char* not_tiled_bf16(const Problem& problem) {
  const Epilogue& e = problem.as<DepthwiseParams>().epilogue;
  if (problem.inputs[0].dtype != DType::BF16 || e.result != DType::BF16)
    return "picture and result are not stored in bfloat16";
  if (e.residual) return "has no residual";
  if (problem.inputs[1].shape[3] != 1) return "has one filter a channel";
  if (e.activation != Activation::Linear && e.activation != Activation::Relu && e.activation != Activation::Relu6)
    return "the result would be rounded before its activation";
  return not_tiled(problem);
}
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "depthwise_conv2d_bf16_tiled_avx512",
     .isa = Isa::Avx512,
     .run = avx512::depthwise_conv2d_bf16_tiled,
     .declines = not_tiled_bf16,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "depthwise_conv2d_f32_tiled_avx512",
     .isa = Isa::Avx512,
     .run = avx512::depthwise_conv2d_tiled,
     .declines = not_tiled,
     .workspace = repeated_input},
    {.name = "depthwise_conv2d_f32_taps_avx512",
     .isa = Isa::Avx512,
     .run = avx512::depthwise_conv2d_taps,
     .workspace = repeated_input},
    {.name = "depthwise_conv2d_bf16_tiled_avx2",
     .isa = Isa::Avx2,
     .run = avx2::depthwise_conv2d_bf16_tiled,
     .declines = not_tiled_bf16,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "depthwise_conv2d_f32_tiled_avx2",
     .isa = Isa::Avx2,
     .run = avx2::depthwise_conv2d_tiled,
     .declines = not_tiled,
     .workspace = repeated_input},
    {.name = "depthwise_conv2d_f32_taps_avx2",
     .isa = Isa::Avx2,
     .run = avx2::depthwise_conv2d_taps,
     .workspace = repeated_input},
#endif
    {.name = "depthwise_conv2d_f32_ref", .run = ref::depthwise_conv2d},
};

}  // namespace

const Op depthwise_conv2d_op{.name = "depthwise_conv2d",
                             .parse = parse_depthwise,
                             .infer = infer_depthwise,
                             .kernels = kKernels,
                             .flops = depthwise_flops,
                             .epilogue = depthwise_epilogue,
                             .num_operands = 2,
                             .gradient = depthwise_conv2d_gradient};

}  // namespace fastcnn

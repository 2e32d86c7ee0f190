#include "ops/pool2d/pool2d.h"

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_pool(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), "x", inputs[0], 4);
  Pool2dParams p;
  const auto [h, w] = attrs.pair("pool_size", 2, 1);
  p.window = parse_window(attrs, inputs[0].shape, h, w, h, w);
  p.ceil_mode = attrs.boolean("ceil_mode", false);
  p.count_include_pad = attrs.boolean("count_include_pad", false);
  p.input_h = inputs[0].shape[1], p.input_w = inputs[0].shape[2];
  return Params(p);
}

std::int64_t pool_output(const char* op, const char* name, const WindowAxis& axis, std::int64_t in, bool ceil_mode) {
  std::int64_t out = window_output(op, name, axis, in);
  // Torch's rule: one window more if it would otherwise leave pixels over, unless it would start beyond them.
  if (ceil_mode && (out - 1) * axis.stride + axis.extent() < in + axis.before + axis.after &&
      out * axis.stride < in + axis.before)
    ++out;
  return out;
}

std::vector<TensorType> infer_pool(const char* op, const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<Pool2dParams>();
  Shape y = inputs[0].shape;
  y[1] = pool_output(op, "height", p.window.h, y[1], p.ceil_mode);
  y[2] = pool_output(op, "width", p.window.w, y[2], p.ceil_mode);
  return {{inputs[0].dtype, y}};
}

std::vector<TensorType> infer_max(const Params& params, std::span<const TensorType> inputs) {
  require_storage("max_pool2d", inputs[0]);
  return infer_pool("max_pool2d", params, inputs);
}

std::vector<TensorType> infer_indices(const Params& params, std::span<const TensorType> inputs) {
  return {{DType::I64, infer_pool("max_pool2d_indices", params, inputs)[0].shape}};
}

std::vector<TensorType> infer_avg(const Params& params, std::span<const TensorType> inputs) {
  require_f32("avg_pool2d", inputs);
  return infer_pool("avg_pool2d", params, inputs);
}

Params parse_adaptive(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), "x", inputs[0], 4);
  Pool2dParams p;
  std::tie(p.adaptive_h, p.adaptive_w) = attrs.pair("output_size", 1, 1);
  p.input_h = inputs[0].shape[1], p.input_w = inputs[0].shape[2];
  return Params(p);
}

std::vector<TensorType> infer_adaptive(const Params& params, std::span<const TensorType> inputs) {
  require_f32("adaptive_avg_pool2d", inputs);
  const auto& p = params.as<Pool2dParams>();
  Shape y = inputs[0].shape;
  require(y[1] > 0 && y[2] > 0, ErrorKind::Shape, "adaptive_avg_pool2d: the picture must not be empty, got shape ", y);
  y[1] = p.adaptive_h, y[2] = p.adaptive_w;
  return {f32(y)};
}

// ---- gradients ------------------------------------------------------------------------------

// The node's parameters, with the size of the picture as it is now: a border may have been folded into the window.
Params with_picture(const NodeGradient& node) {
  auto p = node.params().as<Pool2dParams>();
  p.input_h = node.input_shape(0)[1], p.input_w = node.input_shape(0)[2];
  return Params(p);
}

void max_rule(NodeGradient& node) {
  node.set(0, node.add(max_pool2d_gradient_op, with_picture(node), {node.input(0), node.output(), node.upstream()}));
}

void avg_rule(NodeGradient& node) {
  node.set(0, node.add(avg_pool2d_gradient_op, with_picture(node), {node.upstream()}));
}

void adaptive_rule(NodeGradient& node) {
  node.set(0, node.add(adaptive_avg_pool2d_gradient_op, with_picture(node), {node.upstream()}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kMaxKernels[] = {
#if FC_X86
    {.name = "max_pool2d_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::max_pool2d,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "max_pool2d_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::max_pool2d,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
#endif
    {.name = "max_pool2d_f32_ref", .run = ref::max_pool2d},
};

#if FC_X86
const char* indices_declines(const Problem& problem) {
  const Window2d& window = problem.as<Pool2dParams>().window;
  return window.h.size < (1 << 12) && window.w.size < (1 << 12) ? nullptr : "counts a window's pixels in floats";
}
#endif

constexpr KernelInfo kIndicesKernels[] = {
#if FC_X86
    {.name = "max_pool2d_indices_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::max_pool2d_indices,
     .declines = indices_declines},
    {.name = "max_pool2d_indices_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::max_pool2d_indices,
     .declines = indices_declines},
#endif
    {.name = "max_pool2d_indices_f32_ref", .run = ref::max_pool2d_indices},
};

constexpr KernelInfo kAvgKernels[] = {
#if FC_X86
    {.name = "avg_pool2d_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::avg_pool2d,
     .pitched_picture = true,
     .pitched_result = true},
    {.name = "avg_pool2d_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::avg_pool2d,
     .pitched_picture = true,
     .pitched_result = true},
#endif
    {.name = "avg_pool2d_f32_ref", .run = ref::avg_pool2d},
};

constexpr KernelInfo kAdaptiveKernels[] = {
#if FC_X86
    {.name = "adaptive_avg_pool2d_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::adaptive_avg_pool2d,
     .pitched_picture = true,
     .pitched_result = true},
    {.name = "adaptive_avg_pool2d_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::adaptive_avg_pool2d,
     .pitched_picture = true,
     .pitched_result = true},
#endif
    {.name = "adaptive_avg_pool2d_f32_ref", .run = ref::adaptive_avg_pool2d},
};

}  // namespace

const Op max_pool2d_op{
    .name = "max_pool2d", .parse = parse_pool, .infer = infer_max, .kernels = kMaxKernels, .gradient = max_rule};
const Op max_pool2d_indices_op{.name = "max_pool2d_indices",
                               .parse = parse_pool,
                               .infer = infer_indices,
                               .kernels = kIndicesKernels,
                               .gradient = no_gradient};
const Op avg_pool2d_op{
    .name = "avg_pool2d", .parse = parse_pool, .infer = infer_avg, .kernels = kAvgKernels, .gradient = avg_rule};
const Op adaptive_avg_pool2d_op{.name = "adaptive_avg_pool2d",
                                .parse = parse_adaptive,
                                .infer = infer_adaptive,
                                .kernels = kAdaptiveKernels,
                                .gradient = adaptive_rule};

}  // namespace fastcnn

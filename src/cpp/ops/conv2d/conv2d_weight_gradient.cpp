#include "ops/conv2d/conv2d_weight_gradient.h"

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 2);
  require_rank(op, "x", inputs[0], 4);
  require_rank(op, "dy", inputs[1], 4);
  Conv2dParams p;
  p.groups = attrs.integer("groups", 1);
  p.channels = inputs[0].shape[3];
  p.filters = inputs[1].shape[3];
  require(p.groups >= 1 && p.groups <= max_i64(1, max_i64(p.channels, p.filters)) && p.channels % p.groups == 0 &&
              p.filters % p.groups == 0,
          ErrorKind::Config, op, ": groups must divide the ", p.channels, " channels of x and the ", p.filters,
          " of dy, got ", p.groups);
  const auto [height, width] = attrs.pair("kernel_size", 1, 1);
  p.window = parse_window(attrs, inputs[0].shape, height, width, 1, 1);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const char* op = "conv2d_weight_gradient";
  const auto& p = params.as<Conv2dParams>();
  require_f32(op, inputs);
  const Shape& dy = inputs[1].shape;
  Shape y = inputs[0].shape;
  y[1] = window_output(op, "height", p.window.h, y[1]);
  y[2] = window_output(op, "width", p.window.w, y[2]);
  y[3] = p.filters;
  require(dy == y, ErrorKind::Shape, op, ": expected dy of shape ", y, " for x of shape ", inputs[0].shape,
          ", got shape ", dy);
  Shape w;
  for (const std::int64_t size : {p.window.h.size, p.window.w.size, p.group_channels(), p.filters}) w.push_back(size);
  return {f32(w)};
}

std::int64_t flops(const Problem& problem) {
  return 2 * problem.inputs[1].shape.size() * problem.as<Conv2dParams>().depth();
}

// ---- the kernel table: best first, ref last -------------------------------------------------

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "conv2d_weight_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::conv2d_weight_gradient,
     .workspace = avx512::conv2d_weight_gradient_workspace},
    {.name = "conv2d_weight_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::conv2d_weight_gradient,
     .workspace = avx2::conv2d_weight_gradient_workspace},
#endif
    {.name = "conv2d_weight_gradient_f32_ref", .run = ref::conv2d_weight_gradient},
};

}  // namespace

const Op conv2d_weight_gradient_op{
    .name = "conv2d_weight_gradient", .parse = parse, .infer = infer, .kernels = kKernels, .flops = flops};

}  // namespace fastcnn

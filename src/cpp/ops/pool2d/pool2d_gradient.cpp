#include "ops/pool2d/pool2d_gradient.h"

#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

// max: as the forward op, whose first operand is here too.
Params parse_max(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  return max_pool2d_op.parse(attrs, inputs.first(1));
}

// The others know the picture by its size.
Params parse_with_size(AttrReader& attrs, std::span<const TensorType> inputs, const Op& forward) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), "dy", inputs[0], 4);
  TensorType x = inputs[0];
  require(attrs.has("input_size"), ErrorKind::Config, attrs.op(), ": input_size: expected the picture's size");
  std::tie(x.shape[1], x.shape[2]) = attrs.pair("input_size", 1, 1);
  return forward.parse(attrs, {&x, 1});
}

Params parse_avg(AttrReader& attrs, std::span<const TensorType> inputs) {
  return parse_with_size(attrs, inputs, avg_pool2d_op);
}

Params parse_adaptive(AttrReader& attrs, std::span<const TensorType> inputs) {
  return parse_with_size(attrs, inputs, adaptive_avg_pool2d_op);
}

// The picture's type; checks that dy is what the forward op makes of it.
std::vector<TensorType> infer(const char* op, const Op& forward, const Params& params, const TensorType& dy) {
  const auto& p = params.as<Pool2dParams>();
  TensorType x = dy;
  x.shape[1] = p.input_h, x.shape[2] = p.input_w;
  const Shape expected = forward.infer(params, {&x, 1})[0].shape;
  require(dy.shape == expected, ErrorKind::Shape, op, ": dy must have shape ", expected, ", got shape ", dy.shape);
  return {x};
}

std::vector<TensorType> infer_max(const Params& params, std::span<const TensorType> inputs) {
  constexpr const char* kName = "max_pool2d_gradient";
  require_storage(kName, inputs, 7u);
  require(inputs[1] == inputs[2], ErrorKind::Shape, kName, ": y and dy must have one shape, got ", inputs[1].shape,
          " and ", inputs[2].shape);
  const std::vector<TensorType> x = infer(kName, max_pool2d_op, params, inputs[2]);
  require(x[0] == inputs[0], ErrorKind::Shape, kName, ": x of shape ", inputs[0].shape, " does not belong to dy of ",
          inputs[2].shape);
  return x;
}

std::vector<TensorType> infer_avg(const Params& params, std::span<const TensorType> inputs) {
  require_f32("avg_pool2d_gradient", inputs);
  return infer("avg_pool2d_gradient", avg_pool2d_op, params, inputs[0]);
}

std::vector<TensorType> infer_adaptive(const Params& params, std::span<const TensorType> inputs) {
  require_f32("adaptive_avg_pool2d_gradient", inputs);
  return infer("adaptive_avg_pool2d_gradient", adaptive_avg_pool2d_op, params, inputs[0]);
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kMaxKernels[] = {
#if FC_X86
    {.name = "max_pool2d_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::max_pool2d_gradient,
     .bf16_alike = first_operands<3>,
     .in_place = [](const Problem& problem) { return windows_tile(problem); }},
    {.name = "max_pool2d_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::max_pool2d_gradient,
     .bf16_alike = first_operands<3>,
     .in_place = [](const Problem& problem) { return windows_tile(problem); }},
#endif
    {.name = "max_pool2d_gradient_f32_ref", .run = ref::max_pool2d_gradient},
};
constexpr KernelInfo kAvgKernels[] = {
#if FC_X86
    {.name = "avg_pool2d_gradient_f32_avx512", .isa = Isa::Avx512, .run = avx512::avg_pool2d_gradient},
    {.name = "avg_pool2d_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::avg_pool2d_gradient},
#endif
    {.name = "avg_pool2d_gradient_f32_ref", .run = ref::avg_pool2d_gradient},
};
constexpr KernelInfo kAdaptiveKernels[] = {
#if FC_X86
    {.name = "adaptive_avg_pool2d_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::adaptive_avg_pool2d_gradient},
    {.name = "adaptive_avg_pool2d_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::adaptive_avg_pool2d_gradient},
#endif
    {.name = "adaptive_avg_pool2d_gradient_f32_ref", .run = ref::adaptive_avg_pool2d_gradient},
};

}  // namespace

const Op max_pool2d_gradient_op{
    .name = "max_pool2d_gradient", .parse = parse_max, .infer = infer_max, .kernels = kMaxKernels};
const Op avg_pool2d_gradient_op{
    .name = "avg_pool2d_gradient", .parse = parse_avg, .infer = infer_avg, .kernels = kAvgKernels};
const Op adaptive_avg_pool2d_gradient_op{.name = "adaptive_avg_pool2d_gradient",
                                         .parse = parse_adaptive,
                                         .infer = infer_adaptive,
                                         .kernels = kAdaptiveKernels};

}  // namespace fastcnn

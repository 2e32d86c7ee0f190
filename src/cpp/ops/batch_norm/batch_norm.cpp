#include "ops/batch_norm/batch_norm.h"

#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

BatchNormParams read_params(AttrReader& attrs) {
  BatchNormParams p;
  p.epsilon = attrs.number("epsilon", 1e-3);
  p.scale = attrs.boolean("scale", true);
  p.center = attrs.boolean("center", true);
  require(p.epsilon >= 0, ErrorKind::Config, attrs.op(), ": epsilon: expected a number >= 0, got ", p.epsilon);
  return p;
}

Params parse_batch_norm(AttrReader& attrs, std::span<const TensorType> inputs) {
  const BatchNormParams p = read_params(attrs);
  const int operands = 3 + p.scale + p.center;
  require_inputs(attrs.op(), inputs, operands, operands);
  return Params(p);
}

Params parse_batch_norm_scale_shift(AttrReader& attrs, std::span<const TensorType> inputs) {
  const BatchNormParams p = read_params(attrs);
  const int operands = 2 + p.scale + p.center;
  require_inputs(attrs.op(), inputs, operands, operands);
  return Params(p);
}

Params parse_scale_shift(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  ScaleShiftParams p;
  p.epilogue.activation = parse_activation(attrs, p.epilogue.alpha);
  return Params(p);
}

void require_channels(const char* op, std::span<const TensorType> vectors, std::int64_t channels) {
  for (const TensorType& v : vectors)
    require(v.shape.rank == 1 && v.shape[0] == channels, ErrorKind::Shape, op,
            ": expected one value for each of the last axis' ", channels, " channels, got shape ", v.shape);
}

std::vector<TensorType> infer_per_channel(const char* op, std::span<const TensorType> inputs) {
  require_f32(op, inputs);
  require(inputs[0].shape.rank >= 1, ErrorKind::Shape, op, ": x must have at least one dimension");
  require_channels(op, inputs.subspan(1), inputs[0].shape.back());
  return {inputs[0]};
}

std::vector<TensorType> infer_batch_norm(const Params&, std::span<const TensorType> inputs) {
  return infer_per_channel("batch_norm", inputs);
}

std::vector<TensorType> infer_scale_shift(const Params&, std::span<const TensorType> inputs) {
  return infer_per_channel("scale_shift", inputs);
}

std::vector<TensorType> infer_batch_norm_scale_shift(const Params&, std::span<const TensorType> inputs) {
  require_f32("batch_norm_scale_shift", inputs);
  require_rank("batch_norm_scale_shift", "each operand", inputs[0], 1);
  require_channels("batch_norm_scale_shift", inputs, inputs[0].shape[0]);
  return {inputs[0], inputs[0]};
}

Epilogue& scale_shift_epilogue(Params& params) { return params.edit<ScaleShiftParams>().epilogue; }

// ---- the kernel tables: best first, ref last ------------------------------------------------

std::int64_t gain_bytes(const Problem& problem) {
  return problem.inputs[0].shape.back() * static_cast<std::int64_t>(sizeof(float));
}

constexpr KernelInfo kBatchNormKernels[] = {
#if FC_X86
    {.name = "batch_norm_f32_avx512", .isa = Isa::Avx512, .run = avx512::batch_norm, .workspace = gain_bytes},
    {.name = "batch_norm_f32_avx2", .isa = Isa::Avx2, .run = avx2::batch_norm, .workspace = gain_bytes},
#endif
    {.name = "batch_norm_f32_ref", .run = ref::batch_norm},
};
constexpr KernelInfo kScaleShiftKernels[] = {
#if FC_X86
    {.name = "scale_shift_f32_avx512", .isa = Isa::Avx512, .run = avx512::scale_shift},
    {.name = "scale_shift_f32_avx2", .isa = Isa::Avx2, .run = avx2::scale_shift},
#endif
    {.name = "scale_shift_f32_ref", .run = ref::scale_shift},
};
// A few values a channel, computed once and folded away: plain loops suffice.
constexpr KernelInfo kBatchNormScaleShiftKernels[] = {
    {.name = "batch_norm_scale_shift_f32_ref", .run = ref::batch_norm_scale_shift},
};

}  // namespace

const Op batch_norm_op{.name = "batch_norm",
                       .parse = parse_batch_norm,
                       .infer = infer_batch_norm,
                       .kernels = kBatchNormKernels,
                       .in_place_operands = 1};
const Op batch_norm_scale_shift_op{.name = "batch_norm_scale_shift",
                                   .parse = parse_batch_norm_scale_shift,
                                   .infer = infer_batch_norm_scale_shift,
                                   .kernels = kBatchNormScaleShiftKernels};
const Op scale_shift_op{.name = "scale_shift",
                        .parse = parse_scale_shift,
                        .infer = infer_scale_shift,
                        .kernels = kScaleShiftKernels,
                        .epilogue = scale_shift_epilogue,
                        .num_operands = 3,
                        .in_place_operands = 1};

}  // namespace fastcnn

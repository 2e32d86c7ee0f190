#include "ops/batch_norm/batch_norm.h"

#include "ops/batch_norm/batch_norm_training.h"

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
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

// ---- gradients ------------------------------------------------------------------------------

void batch_norm_rule(NodeGradient& node) {
  const auto& p = node.params().as<BatchNormParams>();
  const int beta = 1 + p.scale, mean = beta + p.center, variance = mean + 1;
  const ValueId epsilon = node.constant(static_cast<float>(p.epsilon));
  const ValueId rstd =
      node.add(unary_op, {{"kind", "rsqrt"}}, {node.add(add_op, Attrs{}, {node.input(variance), epsilon})});
  const auto times = [&](ValueId a, ValueId b) { return node.add(mul_op, Attrs{}, {a, b}); };
  const ValueId gain = p.scale ? times(rstd, node.input(1)) : rstd;
  bool only_x = true;
  for (int i = 1; i <= variance; ++i) only_x = only_x && !node.wants(i);
  if (only_x) return node.set(0, times(node.upstream(), gain));
  std::vector<ValueId> operands{node.input(0), node.upstream()};
  if (p.scale) operands.push_back(node.input(1));
  operands.insert(operands.end(), {node.input(mean), rstd});
  const std::vector<ValueId> found =
      node.add_all(batch_norm_gradient_op, Attrs{{"scale", static_cast<bool>(p.scale)}, {"training", false}}, operands);
  node.set(0, found[0]);
  if (p.scale) node.set(1, found[1]);
  if (p.center) node.set(beta, found[2]);
  if (node.wants(mean)) node.set(mean, times(times(found[2], gain), node.constant(-1.0f)));
  if (node.wants(variance)) node.set(variance, times(times(found[1], times(gain, rstd)), node.constant(-0.5f)));
}

void scale_shift_rule(NodeGradient& node) {
  const ValueId dy = node.upstream();
  if (node.wants(0)) node.set(0, node.add(mul_op, Attrs{}, {dy, node.input(1)}));
  if (node.wants(1))
    node.set(1, sum_to_shape(node, node.add(mul_op, Attrs{}, {dy, node.input(0)}), node.input_shape(1)));
  if (node.wants(2)) node.set(2, sum_to_shape(node, dy, node.input_shape(2)));
}

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
                       .in_place_operands = 1,
                       .gradient = batch_norm_rule};
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
                        .in_place_operands = 1,
                        .gradient = scale_shift_rule};

}  // namespace fastcnn

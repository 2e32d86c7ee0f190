#include "ops/batch_norm/batch_norm_training.h"

#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_training(AttrReader& attrs, std::span<const TensorType> inputs) {
  BatchNormTrainingParams p;
  p.epsilon = attrs.number("epsilon", 1e-3);
  p.scale = attrs.boolean("scale", true);
  p.center = attrs.boolean("center", true);
  require(p.epsilon >= 0, ErrorKind::Config, attrs.op(), ": epsilon: expected a number >= 0, got ", p.epsilon);
  p.epilogue.activation = parse_activation(attrs, p.epilogue.alpha);
  const int own = 1 + p.scale + p.center;
  require_inputs(attrs.op(), inputs, own, own + 1);
  p.epilogue.residual = static_cast<int>(inputs.size()) == own + 1;
  return Params(p);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  BatchNormGradientParams p;
  p.scale = attrs.boolean("scale", true);
  p.training = attrs.boolean("training", true);
  p.activation = parse_activation(attrs, p.alpha);
  const bool undone = p.activation == Activation::Linear || p.activation == Activation::Relu ||
                      p.activation == Activation::Relu6 || (p.activation == Activation::LeakyRelu && p.alpha >= 0);
  require(undone, ErrorKind::Config, attrs.op(), ": activation: expected linear, relu, relu6 or leaky_relu, got ",
          activation_name(p.activation));
  p.from_x = attrs.boolean("from_x", false);
  const int operands = 4 + p.scale + (p.activation != Activation::Linear);
  require_inputs(attrs.op(), inputs, operands, operands);
  return Params(p);
}

void require_channels(const char* op, std::span<const TensorType> vectors, std::int64_t channels) {
  for (const TensorType& v : vectors)
    require(v.shape.rank == 1 && v.shape[0] == channels, ErrorKind::Shape, op,
            ": expected one value for each of the last axis' ", channels, " channels, got shape ", v.shape);
}

void require_same(const char* op, const char* operand, const TensorType& type, const TensorType& x) {
  require(type == x, ErrorKind::Shape, op, ": ", operand, " must have x's shape ", x.shape, ", got shape ", type.shape);
}

TensorType per_channel(const TensorType& x) {
  Shape s;
  s.push_back(x.shape.back());
  return f32(s);
}

std::vector<TensorType> infer_training(const Params& params, std::span<const TensorType> inputs) {
  constexpr const char* kName = "batch_norm_training";
  const auto& p = params.as<BatchNormTrainingParams>();
  require_storage(kName, inputs, p.epilogue.residual ? 1u | 1u << (inputs.size() - 1) : 1u);
  const TensorType& x = inputs[0];
  require(x.shape.rank >= 1, ErrorKind::Shape, kName, ": x must have at least one dimension");
  require_channels(kName, inputs.subspan(1, static_cast<std::size_t>(p.scale + p.center)), x.shape.back());
  if (p.epilogue.residual) require_same(kName, "the residual", inputs.back(), x);
  return {x, per_channel(x), per_channel(x), per_channel(x), per_channel(x)};
}

std::vector<TensorType> infer_gradient(const Params& params, std::span<const TensorType> inputs) {
  constexpr const char* kName = "batch_norm_gradient";
  const auto& p = params.as<BatchNormGradientParams>();
  const bool undone = p.activation != Activation::Linear, reads_y = undone && !p.from_x;
  require_storage(kName, inputs, reads_y ? 3u | 1u << (inputs.size() - 1) : 3u);
  const TensorType& x = inputs[0];
  require(x.shape.rank >= 1, ErrorKind::Shape, kName, ": x must have at least one dimension");
  require_same(kName, "dy", inputs[1], x);
  const int vectors = 2 + p.scale + (undone && p.from_x);
  require_channels(kName, inputs.subspan(2, static_cast<std::size_t>(vectors)), x.shape.back());
  if (reads_y) require_same(kName, "y", inputs.back(), x);
  return {x, per_channel(x), per_channel(x)};
}

Epilogue& training_epilogue(Params& params) { return params.edit<BatchNormTrainingParams>().epilogue; }

// ---- gradients ------------------------------------------------------------------------------

void training_rule(NodeGradient& node) {
  const auto& p = node.params().as<BatchNormTrainingParams>();
  for (int i = 1; i <= 4; ++i)
    require(!node.has_upstream(i), ErrorKind::Unsupported,
            "batch_norm_training: the statistics of a batch have no gradient of their own, only what they normalise");
  std::vector<ValueId> operands{node.input(0), node.upstream()};
  if (p.scale) operands.push_back(node.input(1));
  operands.insert(operands.end(), {node.output(1), node.output(3)});
  const std::vector<ValueId> found =
      node.add_all(batch_norm_gradient_op, Attrs{{"scale", static_cast<bool>(p.scale)}}, operands);
  node.set(0, found[0]);
  if (p.scale) node.set(1, found[1]);
  if (p.center) node.set(1 + p.scale, found[2]);
  set_epilogue_gradients(node, p.epilogue, 1 + p.scale + p.center, operands[1]);
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

std::int64_t workspace_bytes(const Problem& problem) {
  return batch_norm_floats(problem.inputs[0].shape) * static_cast<std::int64_t>(sizeof(float));
}

#if FC_X86
// x, and dy, y or the residual; vectors have one dimension, and so may not be told from pictures of one.
std::uint32_t pictures(const Problem& problem) {
  return problem.inputs[0].shape.rank > 1 ? operands_of_one_rank(problem) : 0;
}
#endif

constexpr KernelInfo kTrainingKernels[] = {
#if FC_X86
    {.name = "batch_norm_training_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::batch_norm_training,
     .workspace = workspace_bytes,
     .bf16_alike = pictures},
    {.name = "batch_norm_training_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::batch_norm_training,
     .workspace = workspace_bytes,
     .bf16_alike = pictures},
#endif
    {.name = "batch_norm_training_f32_ref", .run = ref::batch_norm_training},
};
constexpr KernelInfo kGradientKernels[] = {
#if FC_X86
    {.name = "batch_norm_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::batch_norm_gradient,
     .workspace = workspace_bytes,
     .bf16_alike = pictures},
    {.name = "batch_norm_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::batch_norm_gradient,
     .workspace = workspace_bytes,
     .bf16_alike = pictures},
#endif
    {.name = "batch_norm_gradient_f32_ref", .run = ref::batch_norm_gradient},
};

}  // namespace

const Op batch_norm_training_op{.name = "batch_norm_training",
                                .parse = parse_training,
                                .infer = infer_training,
                                .kernels = kTrainingKernels,
                                .epilogue = training_epilogue,
                                .gradient = training_rule};
const Op batch_norm_gradient_op{.name = "batch_norm_gradient",
                                .parse = parse_gradient,
                                .infer = infer_gradient,
                                .kernels = kGradientKernels,
                                .in_place_operands = 1};

}  // namespace fastcnn

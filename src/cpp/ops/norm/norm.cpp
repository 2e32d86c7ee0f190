#include "ops/norm/norm.h"

#include <algorithm>

#include "ops/norm/norm_gradients.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

template <class P>
void read_affine(AttrReader& attrs, std::span<const TensorType> inputs, P& p) {
  p.epsilon = attrs.number("epsilon", 1e-3);
  p.scale = attrs.boolean("scale", true);
  p.center = attrs.boolean("center", true);
  require(p.epsilon >= 0, ErrorKind::Config, attrs.op(), ": epsilon: expected a number >= 0, got ", p.epsilon);
  require_inputs(attrs.op(), inputs, 1 + p.scale + p.center, 1 + p.scale + p.center);
}

Params parse_groups(AttrReader& attrs, std::span<const TensorType> inputs, bool each_channel) {
  GroupNormParams p;
  read_affine(attrs, inputs, p);
  const Shape& x = inputs[0].shape;
  require(x.rank >= 2, ErrorKind::Shape, attrs.op(), ": x must be (samples, ..., channels), got shape ", x);
  p.groups = each_channel ? max_i64(1, x.back()) : attrs.integer("groups", 32);
  if (p.groups == -1) p.groups = x.back();  // Keras: one channel a group
  require(each_channel || (p.groups >= 1 && x.back() % p.groups == 0), ErrorKind::Config, attrs.op(),
          ": groups: expected a divisor of the ", x.back(), " channels, got ", p.groups);
  return Params(p);
}

Params parse_group_norm(AttrReader& attrs, std::span<const TensorType> inputs) {
  return parse_groups(attrs, inputs, false);
}

Params parse_instance_norm(AttrReader& attrs, std::span<const TensorType> inputs) {
  return parse_groups(attrs, inputs, true);
}

std::vector<TensorType> infer_group_norm(const Params&, std::span<const TensorType> inputs) {
  require_f32("group_norm", inputs);
  for (const TensorType& v : inputs.subspan(1))
    require(v.shape.rank == 1 && v.shape[0] == inputs[0].shape.back(), ErrorKind::Shape,
            "group_norm: gamma and beta must have one value for each of the ", inputs[0].shape.back(),
            " channels, got shape ", v.shape);
  return {inputs[0]};
}

// Axes as a list; sorted, counted from the front, without repeats.
std::vector<std::int64_t> read_axes(AttrReader& attrs, const Shape& x) {
  std::vector<std::int64_t> axes = attrs.integers("axis", {-1});
  require(!axes.empty(), ErrorKind::Config, attrs.op(), ": axis: expected at least one");
  for (std::int64_t& axis : axes) {
    require(axis >= -x.rank && axis < x.rank, ErrorKind::Config, attrs.op(), ": axis ", axis,
            " is outside an array of shape ", x);
    if (axis < 0) axis += x.rank;
  }
  std::sort(axes.begin(), axes.end());
  for (std::size_t i = 1; i < axes.size(); ++i)
    require(axes[i] == axes[i - 1] + 1, ErrorKind::Config, attrs.op(), ": axis: expected neighbouring axes, got ",
            axes[i - 1], " and ", axes[i], " of an array of shape ", x);
  return axes;
}

Params parse_layer_norm(AttrReader& attrs, std::span<const TensorType> inputs) {
  LayerNormParams p;
  read_affine(attrs, inputs, p);
  const std::vector<std::int64_t> axes = read_axes(attrs, inputs[0].shape);
  require(axes.back() == inputs[0].shape.rank - 1, ErrorKind::Config, attrs.op(),
          ": axis: expected the last axes of an array of shape ", inputs[0].shape, ", got ", axes.front(), " to ",
          axes.back());
  p.axes = static_cast<std::int32_t>(axes.size());
  return Params(p);
}

std::vector<TensorType> infer_layer_norm(const Params& params, std::span<const TensorType> inputs) {
  require_f32("layer_norm", inputs);
  const int axes = params.as<LayerNormParams>().axes;
  const Shape& x = inputs[0].shape;
  Shape tail;
  for (int i = x.rank - axes; i < x.rank; ++i) tail.push_back(x[i]);
  for (const TensorType& v : inputs.subspan(1))
    require(v.shape == tail, ErrorKind::Shape, "layer_norm: gamma and beta must have shape ", tail, ", got ", v.shape);
  return {inputs[0]};
}

Params parse_l2_normalize(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const std::vector<std::int64_t> axes = read_axes(attrs, inputs[0].shape);
  L2NormalizeParams p;
  p.epsilon = attrs.number("epsilon", 1e-12);
  p.first = static_cast<std::int32_t>(axes.front());
  p.last = static_cast<std::int32_t>(axes.back());
  require(p.epsilon >= 0, ErrorKind::Config, attrs.op(), ": epsilon: expected a number >= 0, got ", p.epsilon);
  return Params(p);
}

std::vector<TensorType> infer_l2_normalize(const Params&, std::span<const TensorType> inputs) {
  require_f32("l2_normalize", inputs);
  return {inputs[0]};
}

Params read_lrn(AttrReader& attrs) {
  const std::int64_t size = attrs.integer("size", 5);
  // Torch and ONNX centre an even window differently.
  require(size >= 1 && size % 2 == 1 && size < (1 << 20), ErrorKind::Config, attrs.op(),
          ": size: expected an odd number of channels, got ", size);
  LrnParams p;
  p.size = static_cast<std::int32_t>(size);
  p.alpha = static_cast<float>(attrs.number("alpha", 1e-4));
  p.beta = static_cast<float>(attrs.number("beta", 0.75));
  p.bias = static_cast<float>(attrs.number("bias", 1.0));
  return Params(p);
}

Params parse_lrn(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return read_lrn(attrs);
}

Params parse_lrn_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  require(inputs[0] == inputs[1], ErrorKind::Shape, attrs.op(), ": expected two operands of one shape, got ",
          inputs[0].shape, " and ", inputs[1].shape);
  return read_lrn(attrs);
}

std::vector<TensorType> infer_lrn(const Params&, std::span<const TensorType> inputs) {
  require_f32("lrn", inputs);
  require(inputs[0].shape.rank >= 1, ErrorKind::Shape, "lrn: x must have at least one dimension");
  return {inputs[0]};
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

std::int64_t group_norm_bytes(const Problem& problem) {
  return group_norm_floats(problem.inputs[0].shape) * static_cast<std::int64_t>(sizeof(float));
}

const char* lrn_declines(const Problem& problem) {
  return problem.as<LrnParams>().size / 2 > kLrnMaxHalf ? "its window reaches at most 128 channels to either side"
                                                        : nullptr;
}

constexpr KernelInfo kGroupNormKernels[] = {
#if FC_X86
    {.name = "group_norm_f32_avx512", .isa = Isa::Avx512, .run = avx512::group_norm, .workspace = group_norm_bytes},
    {.name = "group_norm_f32_avx2", .isa = Isa::Avx2, .run = avx2::group_norm, .workspace = group_norm_bytes},
#endif
    {.name = "group_norm_f32_ref", .run = ref::group_norm},
};
constexpr KernelInfo kInstanceNormKernels[] = {
#if FC_X86
    {.name = "instance_norm_f32_avx512", .isa = Isa::Avx512, .run = avx512::group_norm, .workspace = group_norm_bytes},
    {.name = "instance_norm_f32_avx2", .isa = Isa::Avx2, .run = avx2::group_norm, .workspace = group_norm_bytes},
#endif
    {.name = "instance_norm_f32_ref", .run = ref::group_norm},
};
constexpr KernelInfo kLayerNormKernels[] = {
#if FC_X86
    {.name = "layer_norm_f32_avx512", .isa = Isa::Avx512, .run = avx512::layer_norm},
    {.name = "layer_norm_f32_avx2", .isa = Isa::Avx2, .run = avx2::layer_norm},
#endif
    {.name = "layer_norm_f32_ref", .run = ref::layer_norm},
};
constexpr KernelInfo kL2NormalizeKernels[] = {
#if FC_X86
    {.name = "l2_normalize_f32_avx512", .isa = Isa::Avx512, .run = avx512::l2_normalize},
    {.name = "l2_normalize_f32_avx2", .isa = Isa::Avx2, .run = avx2::l2_normalize},
#endif
    {.name = "l2_normalize_f32_ref", .run = ref::l2_normalize},
};
constexpr KernelInfo kLrnKernels[] = {
#if FC_X86
    {.name = "lrn_f32_avx512", .isa = Isa::Avx512, .run = avx512::lrn, .declines = lrn_declines},
    {.name = "lrn_f32_avx2", .isa = Isa::Avx2, .run = avx2::lrn, .declines = lrn_declines},
#endif
    {.name = "lrn_f32_ref", .run = ref::lrn},
};

constexpr KernelInfo kLrnGradientKernels[] = {
#if FC_X86
    {.name = "lrn_gradient_f32_avx512", .isa = Isa::Avx512, .run = avx512::lrn_gradient},
    {.name = "lrn_gradient_f32_avx2", .isa = Isa::Avx2, .run = avx2::lrn_gradient},
#endif
    {.name = "lrn_gradient_f32_ref", .run = ref::lrn_gradient},
};

}  // namespace

const Op group_norm_op{.name = "group_norm",
                       .parse = parse_group_norm,
                       .infer = infer_group_norm,
                       .kernels = kGroupNormKernels,
                       .in_place_operands = 1,
                       .gradient = group_norm_rule};
const Op instance_norm_op{.name = "instance_norm",
                          .parse = parse_instance_norm,
                          .infer = infer_group_norm,
                          .kernels = kInstanceNormKernels,
                          .in_place_operands = 1,
                          .gradient = group_norm_rule};
const Op layer_norm_op{.name = "layer_norm",
                       .parse = parse_layer_norm,
                       .infer = infer_layer_norm,
                       .kernels = kLayerNormKernels,
                       .in_place_operands = 1,
                       .gradient = layer_norm_rule};
const Op l2_normalize_op{.name = "l2_normalize",
                         .parse = parse_l2_normalize,
                         .infer = infer_l2_normalize,
                         .kernels = kL2NormalizeKernels,
                         .in_place_operands = 1,
                         .gradient = l2_normalize_rule};
const Op lrn_op{.name = "lrn", .parse = parse_lrn, .infer = infer_lrn, .kernels = kLrnKernels, .gradient = lrn_rule};
const Op lrn_gradient_op{
    .name = "lrn_gradient", .parse = parse_lrn_gradient, .infer = infer_lrn, .kernels = kLrnGradientKernels};

}  // namespace fastcnn

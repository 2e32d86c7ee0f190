#include "ops/conv2d/conv2d_gradients.h"

#include "ops/conv2d/conv2d_winograd.h"
#include "ops/conv2d_transpose/conv2d_transpose.h"
#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/rooms.h"
#include "ops/strided_copy.h"
#include "ops/transpose/transpose.h"

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
  require_storage(op, inputs, 3u);
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

#if FC_X86
// Winograd's is faster at `high` with few channels.
const char* yields_bf16x3(const Problem& problem) {
  constexpr std::int64_t kManyChannels = 128;
  const auto& p = problem.as<Conv2dParams>();
  if (min_i64(p.channels, p.filters) < kManyChannels && winograd::declines(problem) == nullptr &&
      winograd::weight_gradient_yields(winograd::avx512::gradient4, problem) == nullptr)
    return "Winograd's transforms save more than AMX with so few channels";
  return weight_gradient_yields<gemm::amx::bf16x3>(problem);
}

using Bf16GradientAmx = Bf16WeightGradient<gemm::amx::bf16, gemm::kAmxBf16Outer>;
using Bf16GradientAvx512Bf16 = Bf16WeightGradient<gemm::avx512bf16::bf16, gemm::kAvx512Bf16Outer>;

// The functions of a row that is Winograd's on one instruction set.
template <const winograd::GradientTransforms& transforms>
struct Winograd {
  static void run(const KernelArgs& args) { winograd::weight_gradient(transforms, args); }
  static const char* yields(const Problem& problem) { return winograd::weight_gradient_yields(transforms, problem); }
  static std::int64_t workspace(const Problem& problem) {
    return winograd::weight_gradient_workspace(transforms, problem);
  }
};
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "conv2d_weight_gradient_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = Bf16GradientAmx::run,
     .declines = Bf16GradientAmx::declines,
     .yields = Bf16GradientAmx::yields,
     .workspace = Bf16GradientAmx::workspace,
     .bf16_alike = first_operands<2>},
    {.name = "conv2d_weight_gradient_f32_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = WeightGradient<gemm::amx::bf16>::run,
     .yields = weight_gradient_yields<gemm::amx::bf16>,
     .workspace = WeightGradient<gemm::amx::bf16>::workspace},
    {.name = "conv2d_weight_gradient_f32_bf16x3_amx",
     .isa = Isa::Amx,
     .precision = Precision::High,
     .run = WeightGradient<gemm::amx::bf16x3>::run,
     .yields = yields_bf16x3,
     .workspace = WeightGradient<gemm::amx::bf16x3>::workspace},
    {.name = "conv2d_weight_gradient_f32_bf16_winograd2_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = Winograd<winograd::avx512bf16::gradient2>::run,
     .declines = winograd::declines,
     .yields = Winograd<winograd::avx512bf16::gradient2>::yields,
     .workspace = Winograd<winograd::avx512bf16::gradient2>::workspace,
     .bf16_alike = first_operands<2>},
    {.name = "conv2d_weight_gradient_f32_winograd4_avx512",
     .isa = Isa::Avx512,
     .run = Winograd<winograd::avx512::gradient4>::run,
     .declines = winograd::declines,
     .yields = Winograd<winograd::avx512::gradient4>::yields,
     .workspace = Winograd<winograd::avx512::gradient4>::workspace,
     .bf16_alike = first_operands<2>},
    {.name = "conv2d_weight_gradient_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = Bf16GradientAvx512Bf16::run,
     .declines = Bf16GradientAvx512Bf16::declines,
     .yields = Bf16GradientAvx512Bf16::yields,
     .workspace = Bf16GradientAvx512Bf16::workspace,
     .bf16_alike = first_operands<2>},
    {.name = "conv2d_weight_gradient_f32_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = WeightGradient<gemm::avx512bf16::bf16>::run,
     .yields = weight_gradient_yields<gemm::avx512bf16::bf16>,
     .workspace = WeightGradient<gemm::avx512bf16::bf16>::workspace},
    {.name = "conv2d_weight_gradient_f32_bf16x6_amx",
     .isa = Isa::Amx,
     .run = WeightGradient<gemm::amx::bf16x6>::run,
     .yields = weight_gradient_yields<gemm::amx::bf16x6>,
     .workspace = WeightGradient<gemm::amx::bf16x6>::workspace},
    {.name = "conv2d_weight_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = WeightGradient<gemm::avx512::outer_engine>::run,
     .workspace = WeightGradient<gemm::avx512::outer_engine>::workspace},
    {.name = "conv2d_weight_gradient_f32_winograd4_avx2",
     .isa = Isa::Avx2,
     .run = Winograd<winograd::avx2::gradient4>::run,
     .declines = winograd::declines,
     .yields = Winograd<winograd::avx2::gradient4>::yields,
     .workspace = Winograd<winograd::avx2::gradient4>::workspace},
    {.name = "conv2d_weight_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = WeightGradient<gemm::avx2::outer_engine>::run,
     .workspace = WeightGradient<gemm::avx2::outer_engine>::workspace},
#endif
    {.name = "conv2d_weight_gradient_f32_ref", .run = ref::conv2d_weight_gradient},
};

// ---- the kernel of the adjoint --------------------------------------------------------------

Params parse_adjoint(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 1, 1);
  require_rank(op, "kernel", inputs[0], 4);
  const Shape& w = inputs[0].shape;
  Conv2dParams p;
  p.groups = attrs.integer("groups", 1);
  require(p.groups >= 1 && p.groups <= max_i64(1, w[3]) && w[3] % p.groups == 0, ErrorKind::Config, op,
          ": groups must divide the ", w[3], " filters of the kernel, got ", p.groups);
  p.window.h.size = w[0], p.window.w.size = w[1];
  p.channels = w[2] * p.groups;
  p.filters = w[3];
  return Params(p);
}

std::vector<TensorType> infer_adjoint(const Params& params, std::span<const TensorType> inputs) {
  require_f32("conv2d_adjoint_kernel", inputs);
  const auto& p = params.as<Conv2dParams>();
  Shape v;
  for (const std::int64_t n : {p.window.h.size, p.window.w.size, p.group_filters(), p.channels}) v.push_back(n);
  return {f32(v)};
}

template <TransposeFn transpose4>
void turn(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(float));
  const std::int64_t h = p.window.h.size, w = p.window.w.size, filters = p.group_filters();
  const std::int64_t tap = p.group_channels() * p.filters * kItem;
  StridedCopy box;
  box.from = args.in[0].as<unsigned char>() + (h * w - 1) * tap;
  box.to = args.out[0].as<unsigned char>();
  box.item = kItem;
  box.add_axis(h, -w * tap, w * tap);
  box.add_axis(w, -tap, tap);
  box.add_axis(filters, kItem, p.channels * kItem);
  box.add_axis(p.groups, filters * kItem, p.group_channels() * kItem);
  box.add_axis(p.group_channels(), p.filters * kItem, kItem);
  strided_copy(box, transpose4);
}

constexpr KernelInfo kAdjointKernels[] = {
#if FC_X86
    {.name = "conv2d_adjoint_kernel_f32_avx2", .isa = Isa::Avx2, .run = turn<avx2::transpose4>},
#endif
    {.name = "conv2d_adjoint_kernel_f32_ref", .run = turn<nullptr>},
};

// ---- the rule -------------------------------------------------------------------------------

ValueId picture_gradient(NodeGradient& node, const Conv2dParams& p, ValueId dy) {
  const Shape &x = node.input_shape(0), &y = node.output_shape();
  const WindowAxis h = adjoint_axis(p.window.h, x[1], y[1]), w = adjoint_axis(p.window.w, x[2], y[2]);
  if (h.stride == 1 && w.stride == 1 && min_i64(min_i64(h.before, h.after), min_i64(w.before, w.after)) >= 0) {
    Conv2dParams adjoint = p;
    adjoint.window = {h, w};
    adjoint.channels = p.filters;
    adjoint.filters = p.channels;
    return node.add(conv2d_op, Params(adjoint), {dy, node.add(conv2d_adjoint_kernel_op, Params(p), {node.input(1)})});
  }
  Conv2dTransposeParams transpose;
  transpose.window = p.window;
  transpose.out_h = x[1], transpose.out_w = x[2];
  transpose.groups = p.groups;
  transpose.channels = p.filters;
  transpose.filters = p.channels;
  return node.add(conv2d_transpose_op, Params(transpose), {dy, node.input(1)});
}

}  // namespace

void conv2d_gradient(NodeGradient& node) {
  auto p = node.params().as<Conv2dParams>();
  const ValueId dy = node.upstream();
  set_epilogue_gradients(node, p.epilogue, 2, dy);
  p.epilogue = Epilogue();
  if (node.wants(0)) node.set(0, picture_gradient(node, p, dy));
  if (node.wants(1)) node.set(1, node.add(conv2d_weight_gradient_op, Params(p), {node.input(0), dy}));
}

const Op conv2d_weight_gradient_op{
    .name = "conv2d_weight_gradient", .parse = parse, .infer = infer, .kernels = kKernels, .flops = flops};
const Op conv2d_adjoint_kernel_op{
    .name = "conv2d_adjoint_kernel", .parse = parse_adjoint, .infer = infer_adjoint, .kernels = kAdjointKernels};

}  // namespace fastcnn

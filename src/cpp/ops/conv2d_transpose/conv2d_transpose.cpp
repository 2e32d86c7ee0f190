#include "ops/conv2d_transpose/conv2d_transpose.h"

#include "gemm/split_gemm.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

constexpr std::int64_t kNotGiven = -1;
enum class Padding { Valid, Same, Pixels };

// Size of y along one axis, by the contract's table; sets axis.before for "same".
std::int64_t resolve(WindowAxis& axis, std::int64_t n, Padding padding, std::int64_t output_padding) {
  const std::int64_t reach = (n - 1) * axis.stride, e = axis.extent(), extra = max_i64(0, output_padding);
  if (padding == Padding::Pixels) return reach - axis.before - axis.after + e + extra;
  if (padding == Padding::Valid)
    return reach + (output_padding == kNotGiven ? max_i64(e, axis.stride) : e + output_padding);
  const std::int64_t size = output_padding == kNotGiven ? n * axis.stride : reach + e % 2 + output_padding;
  axis.before = max_i64(0, reach + e - size) / 2;
  return size;
}

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 4);
  require_rank(op, "x", inputs[0], 4);
  require_rank(op, "kernel", inputs[1], 4);
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  Conv2dTransposeParams p;
  p.groups = attrs.integer("groups", 1);
  p.channels = x[3];
  require(p.groups >= 1 && p.groups <= max_i64(1, p.channels) && p.channels % p.groups == 0, ErrorKind::Config, op,
          ": groups must divide the ", p.channels, " channels of x, got ", p.groups);
  require(w[0] >= 1 && w[1] >= 1 && w[3] == p.channels, ErrorKind::Shape, op,
          ": expected a kernel of shape (height, width, filters / groups, ", p.channels, ") for x of shape ", x,
          ", got shape ", w);
  p.filters = w[2] * p.groups;
  Padding padding = Padding::Pixels;
  if (!attrs.has("pads"))
    padding = attrs.choice("padding", {"valid", "same"}, "valid") == 0 ? Padding::Valid : Padding::Same;
  // Sizes, strides and dilation are conv2d's; what it makes of "same" is replaced below.
  p.window = parse_window(attrs, x, w[0], w[1], 1, 1);
  if (padding != Padding::Pixels) p.window.h.before = p.window.h.after = p.window.w.before = p.window.w.after = 0;
  const bool given = attrs.has("output_padding");
  const auto [extra_h, extra_w] = attrs.pair("output_padding", 0, 0);
  p.out_h = resolve(p.window.h, x[1], padding, given ? extra_h : kNotGiven);
  p.out_w = resolve(p.window.w, x[2], padding, given ? extra_w : kNotGiven);
  p.epilogue = parse_epilogue(attrs, static_cast<int>(inputs.size()), 2);
  p.epilogue.result = parse_storage(attrs);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<Conv2dTransposeParams>();
  require_product_storage("conv2d_transpose", p.epilogue, inputs);
  require(p.out_h >= 1 && p.out_w >= 1, ErrorKind::Shape,
          "conv2d_transpose: the padding leaves nothing of the result: ", p.out_h, " x ", p.out_w,
          " pixels for x of shape ", inputs[0].shape);
  Shape y = inputs[0].shape;
  y[1] = p.out_h, y[2] = p.out_w, y[3] = p.filters;
  require_epilogue_operands("conv2d_transpose", p.epilogue, inputs, 2, y);
  return {{p.epilogue.result, y}};
}

std::int64_t flops(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  return 2 * problem.inputs[0].shape.size() * p.window.h.size * p.window.w.size * p.group_filters();
}

Epilogue& epilogue(Params& params) { return params.edit<Conv2dTransposeParams>().epilogue; }

// ---- packing: the kernel -> panels of filters, phase by phase, group by group ----------------

#if FC_X86
template <const auto& engine>
std::vector<TensorType> infer_pack(const Params& params, std::span<const TensorType>) {
  Shape s;
  s.push_back(TransposeProduct<engine>::packed_size(params));
  return {f32(s)};
}

std::vector<TensorType> infer_pack_windows(const Params& params, std::span<const TensorType>) {
  Shape s;
  s.push_back(conv2d_transpose_bf16_packed_size(params.as<Conv2dTransposeParams>()));
  return {f32(s)};
}

constexpr KernelInfo kPackBf16[] = {
    {.name = "conv2d_transpose_pack_bf16", .run = TransposeProduct<gemm::avx512bf16::bf16>::pack}};
constexpr KernelInfo kPackBf16x3[] = {
    {.name = "conv2d_transpose_pack_bf16x3", .run = TransposeProduct<gemm::amx::bf16x3>::pack}};
constexpr KernelInfo kPackBf16x6[] = {
    {.name = "conv2d_transpose_pack_bf16x6", .run = TransposeProduct<gemm::amx::bf16x6>::pack}};
constexpr KernelInfo kPackN64[] = {
    {.name = "conv2d_transpose_pack_n64_f32", .run = TransposeProduct<gemm::avx512::engine>::pack}};
constexpr KernelInfo kPackN16[] = {
    {.name = "conv2d_transpose_pack_n16_f32", .run = TransposeProduct<gemm::avx2::engine>::pack}};
constexpr KernelInfo kPackWindows[] = {
    {.name = "conv2d_transpose_pack_bf16_windows", .run = conv2d_transpose_bf16_pack}};
#endif

}  // namespace

#if FC_X86
const Op conv2d_transpose_pack_bf16_op{.name = "conv2d_transpose_pack_bf16",
                                       .parse = nullptr,
                                       .infer = infer_pack<gemm::avx512bf16::bf16>,
                                       .kernels = kPackBf16};
const Op conv2d_transpose_pack_bf16x3_op{.name = "conv2d_transpose_pack_bf16x3",
                                         .parse = nullptr,
                                         .infer = infer_pack<gemm::amx::bf16x3>,
                                         .kernels = kPackBf16x3};
const Op conv2d_transpose_pack_bf16x6_op{.name = "conv2d_transpose_pack_bf16x6",
                                         .parse = nullptr,
                                         .infer = infer_pack<gemm::amx::bf16x6>,
                                         .kernels = kPackBf16x6};
const Op conv2d_transpose_pack_n64_op{.name = "conv2d_transpose_pack_n64",
                                      .parse = nullptr,
                                      .infer = infer_pack<gemm::avx512::engine>,
                                      .kernels = kPackN64};
const Op conv2d_transpose_pack_n16_op{.name = "conv2d_transpose_pack_n16",
                                      .parse = nullptr,
                                      .infer = infer_pack<gemm::avx2::engine>,
                                      .kernels = kPackN16};
const Op conv2d_transpose_pack_bf16_windows_op{.name = "conv2d_transpose_pack_bf16_windows",
                                               .parse = nullptr,
                                               .infer = infer_pack_windows,
                                               .kernels = kPackWindows};
#endif

// ---- the kernel table: best first, ref last -------------------------------------------------

namespace {
#if FC_X86
// The product of a phase that has one tap, of average size.
template <const gemm::SplitEngine& engine>
const char* yields_split(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  const std::int64_t phases = p.window.h.stride * p.window.w.stride;
  return gemm::yields(engine, problem.outputs[0].shape.product(0, 3) / phases, p.group_channels(), p.group_filters());
}
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "conv2d_transpose_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = conv2d_transpose_bf16<gemm::amx::bf16>,
     .declines = conv2d_transpose_bf16_declines,
     .pack = &conv2d_transpose_pack_bf16_windows_op,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_transpose_f32_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = TransposeProduct<gemm::amx::bf16>::run,
     .yields = yields_split<gemm::amx::bf16>,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_bf16_op,
     .pitched_result = true},
    {.name = "conv2d_transpose_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = conv2d_transpose_bf16<gemm::avx512bf16::bf16>,
     .declines = conv2d_transpose_bf16_declines,
     .pack = &conv2d_transpose_pack_bf16_windows_op,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_transpose_f32_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = TransposeProduct<gemm::avx512bf16::bf16>::run,
     .yields = yields_split<gemm::avx512bf16::bf16>,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_bf16_op,
     .pitched_result = true},
    {.name = "conv2d_transpose_f32_bf16x3_amx",
     .isa = Isa::Amx,
     .precision = Precision::High,
     .run = TransposeProduct<gemm::amx::bf16x3>::run,
     .yields = yields_split<gemm::amx::bf16x3>,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_bf16x3_op,
     .pitched_result = true},
    {.name = "conv2d_transpose_f32_bf16x6_amx",
     .isa = Isa::Amx,
     .run = TransposeProduct<gemm::amx::bf16x6>::run,
     .yields = yields_split<gemm::amx::bf16x6>,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_bf16x6_op,
     .pitched_result = true},
    {.name = "conv2d_transpose_f32_avx512",
     .isa = Isa::Avx512,
     .run = TransposeProduct<gemm::avx512::engine>::run,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_n64_op,
     .pitched_result = true},
    {.name = "conv2d_transpose_f32_avx2",
     .isa = Isa::Avx2,
     .run = TransposeProduct<gemm::avx2::engine>::run,
     .workspace = conv2d_transpose_workspace,
     .pack = &conv2d_transpose_pack_n16_op,
     .pitched_result = true},
#endif
    {.name = "conv2d_transpose_f32_ref", .run = ref::conv2d_transpose},
};
}  // namespace

// ---- the gradient: convolution of the upstream gradient, and its weight gradient --------------

static WindowAxis gradient_axis(WindowAxis axis, std::int64_t inputs, std::int64_t outputs) {
  axis.after = (inputs - 1) * axis.stride + axis.extent() - axis.before - outputs;  // below 0: pixels beyond any window
  return axis;
}

static void gradient(NodeGradient& node) {
  const auto& p = node.params().as<Conv2dTransposeParams>();
  const Shape& x = node.input_shape(0);
  const ValueId dy = node.upstream();
  set_epilogue_gradients(node, p.epilogue, 2, dy);
  Conv2dParams adjoint;
  adjoint.window = {gradient_axis(p.window.h, x[1], p.out_h), gradient_axis(p.window.w, x[2], p.out_w)};
  adjoint.groups = p.groups;
  adjoint.channels = p.filters;
  adjoint.filters = p.channels;
  if (node.wants(0)) node.set(0, node.add(conv2d_op, Params(adjoint), {dy, node.input(1)}));
  if (node.wants(1)) node.set(1, node.add(conv2d_weight_gradient_op, Params(adjoint), {dy, node.input(0)}));
}

const Op conv2d_transpose_op{.name = "conv2d_transpose",
                             .parse = parse,
                             .infer = infer,
                             .kernels = kKernels,
                             .flops = flops,
                             .epilogue = epilogue,
                             .num_operands = 2,
                             .gradient = gradient};

}  // namespace fastcnn

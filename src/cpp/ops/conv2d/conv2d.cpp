#include "ops/conv2d/conv2d.h"

#include "gemm/split_gemm.h"
#include "ops/conv2d/conv2d_gradients.h"
#include "ops/conv2d/conv2d_winograd.h"
#include "ops/bf16_windows.h"
#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 4);
  require_rank(op, "x", inputs[0], 4);
  require_rank(op, "kernel", inputs[1], 4);
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  Conv2dParams p;
  p.groups = attrs.integer("groups", 1);
  p.channels = x[3];
  p.filters = w[3];
  require(p.groups >= 1 && p.groups <= max_i64(1, max_i64(p.channels, p.filters)) && p.channels % p.groups == 0 &&
              p.filters % p.groups == 0,
          ErrorKind::Config, op, ": groups must divide the ", p.channels, " channels of x and the ", p.filters,
          " filters of the kernel, got ", p.groups);
  require(w[0] >= 1 && w[1] >= 1 && w[2] == p.group_channels(), ErrorKind::Shape, op,
          ": expected a kernel of shape (height, width, ", p.group_channels(), ", filters) for x of shape ", x,
          " and groups = ", p.groups, ", got shape ", w);
  p.window = parse_window(attrs, x, w[0], w[1], 1, 1);
  p.epilogue = parse_epilogue(attrs, static_cast<int>(inputs.size()), 2);
  p.epilogue.result = parse_storage(attrs);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<Conv2dParams>();
  require_product_storage("conv2d", p.epilogue, inputs);
  Shape y = inputs[0].shape;
  y[1] = window_output("conv2d", "height", p.window.h, y[1]);
  y[2] = window_output("conv2d", "width", p.window.w, y[2]);
  y[3] = p.filters;
  require_epilogue_operands("conv2d", p.epilogue, inputs, 2, y);
  return {{p.epilogue.result, y}};
}

std::int64_t flops(const Problem& problem) {
  return 2 * problem.outputs[0].shape.size() * problem.as<Conv2dParams>().depth();
}

Epilogue& epilogue(Params& params) { return params.edit<Conv2dParams>().epilogue; }

// ---- packing: the kernel -> panels of filters, group by group --------------------------------

#if FC_X86
Params pack_params(const Params& params) {
  const auto& p = params.as<Conv2dParams>();
  Conv2dParams packed;
  packed.window.h.size = p.window.h.size, packed.window.w.size = p.window.w.size;
  packed.groups = p.groups, packed.channels = p.channels, packed.filters = p.filters;
  return Params(packed);
}

template <const auto& engine>
std::vector<TensorType> infer_pack(const Params& params, std::span<const TensorType>) {
  const auto& p = params.as<Conv2dParams>();
  Shape s;
  s.push_back(p.groups * gemm::packed_size(engine, p.depth(), p.group_filters()));
  return {f32(s)};
}

constexpr KernelInfo kPackBf16x6[] = {{.name = "conv2d_pack_bf16x6", .run = amx::conv2d_bf16x6_pack}};
constexpr KernelInfo kPackBf16x3[] = {{.name = "conv2d_pack_bf16x3", .run = amx::conv2d_bf16x3_pack}};
constexpr KernelInfo kPackBf16[] = {{.name = "conv2d_pack_bf16", .run = avx512bf16::conv2d_bf16_pack}};
std::vector<TensorType> infer_pack_bf16_picture(const Params& params, std::span<const TensorType>) {
  const auto& p = params.as<Conv2dParams>();
  Shape s;
  s.push_back(bf16_packed_size(p.window, p.channels, p.filters));
  return {f32(s)};
}
constexpr KernelInfo kPackBf16Picture[] = {{.name = "conv2d_pack_bf16_picture", .run = conv2d_bf16_picture_pack}};
constexpr KernelInfo kPackAvx512[] = {{.name = "conv2d_pack_n64_f32", .run = avx512::conv2d_pack}};
constexpr KernelInfo kPackAvx2[] = {{.name = "conv2d_pack_n16_f32", .run = avx2::conv2d_pack}};

// The functions of a row that is one of Winograd's tile sizes on one instruction set.
template <const winograd::Transforms& transforms>
struct Winograd {
  static void run(const KernelArgs& args) { winograd::convolve(transforms, args); }
  static const char* declines(const Problem& problem) {
    if (const char* reason = winograd::declines(problem)) return reason;
    const bool pairs = problem.as<Conv2dParams>().channels % 2 == 0;
    return transforms.bf16 && !pairs ? "takes an even number of channels only" : nullptr;
  }
  static const char* yields(const Problem& problem) { return winograd::yields(transforms, problem); }
  static std::int64_t workspace(const Problem& problem) { return winograd::workspace(transforms, problem); }
  static void pack(const KernelArgs& args) { winograd::pack(transforms, args); }
  static std::vector<TensorType> infer_pack(const Params& params, std::span<const TensorType>) {
    Shape s;
    s.push_back(winograd::packed_size(transforms, params.as<Conv2dParams>()));
    return {f32(s)};
  }
};
using Winograd4Avx512 = Winograd<winograd::avx512::f4>;
using Winograd2Avx512 = Winograd<winograd::avx512::f2>;
using Winograd2Bf16 = Winograd<winograd::avx512bf16::f2>;
using Winograd4Avx2 = Winograd<winograd::avx2::f4>;
using Winograd2Avx2 = Winograd<winograd::avx2::f2>;

constexpr KernelInfo kPackWinograd4Avx512[] = {
    {.name = "conv2d_pack_winograd4_n64_f32", .isa = Isa::Avx512, .run = Winograd4Avx512::pack}};
constexpr KernelInfo kPackWinograd2Avx512[] = {
    {.name = "conv2d_pack_winograd2_n64_f32", .isa = Isa::Avx512, .run = Winograd2Avx512::pack}};
constexpr KernelInfo kPackWinograd2Bf16[] = {
    {.name = "conv2d_pack_winograd2_bf16", .isa = Isa::Avx512Bf16, .run = Winograd2Bf16::pack}};
constexpr KernelInfo kPackWinograd4Avx2[] = {
    {.name = "conv2d_pack_winograd4_n16_f32", .isa = Isa::Avx2, .run = Winograd4Avx2::pack}};
constexpr KernelInfo kPackWinograd2Avx2[] = {
    {.name = "conv2d_pack_winograd2_n16_f32", .isa = Isa::Avx2, .run = Winograd2Avx2::pack}};
#endif

}  // namespace

#if FC_X86
const Op conv2d_pack_bf16x6_op{
    .name = "conv2d_pack_bf16x6", .parse = nullptr, .infer = infer_pack<gemm::amx::bf16x6>, .kernels = kPackBf16x6};
const Op conv2d_pack_bf16x3_op{
    .name = "conv2d_pack_bf16x3", .parse = nullptr, .infer = infer_pack<gemm::amx::bf16x3>, .kernels = kPackBf16x3};
const Op conv2d_pack_bf16_op{
    .name = "conv2d_pack_bf16", .parse = nullptr, .infer = infer_pack<gemm::avx512bf16::bf16>, .kernels = kPackBf16};
const Op conv2d_pack_bf16_picture_op{.name = "conv2d_pack_bf16_picture",
                                     .parse = nullptr,
                                     .infer = infer_pack_bf16_picture,
                                     .kernels = kPackBf16Picture};
const Op conv2d_pack_n64_op{
    .name = "conv2d_pack_n64", .parse = nullptr, .infer = infer_pack<gemm::avx512::engine>, .kernels = kPackAvx512};
const Op conv2d_pack_n16_op{
    .name = "conv2d_pack_n16", .parse = nullptr, .infer = infer_pack<gemm::avx2::engine>, .kernels = kPackAvx2};
const Op conv2d_pack_winograd4_n64_op{.name = "conv2d_pack_winograd4_n64",
                                      .parse = nullptr,
                                      .infer = Winograd4Avx512::infer_pack,
                                      .kernels = kPackWinograd4Avx512};
const Op conv2d_pack_winograd2_n64_op{.name = "conv2d_pack_winograd2_n64",
                                      .parse = nullptr,
                                      .infer = Winograd2Avx512::infer_pack,
                                      .kernels = kPackWinograd2Avx512};
const Op conv2d_pack_winograd2_bf16_op{.name = "conv2d_pack_winograd2_bf16",
                                       .parse = nullptr,
                                       .infer = Winograd2Bf16::infer_pack,
                                       .kernels = kPackWinograd2Bf16};
const Op conv2d_pack_winograd4_n16_op{.name = "conv2d_pack_winograd4_n16",
                                      .parse = nullptr,
                                      .infer = Winograd4Avx2::infer_pack,
                                      .kernels = kPackWinograd4Avx2};
const Op conv2d_pack_winograd2_n16_op{.name = "conv2d_pack_winograd2_n16",
                                      .parse = nullptr,
                                      .infer = Winograd2Avx2::infer_pack,
                                      .kernels = kPackWinograd2Avx2};
#endif

// ---- the kernel table: best first, ref last -------------------------------------------------

namespace {
#if FC_X86
template <const gemm::SplitEngine& engine>
const char* yields_split(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  if (p.group_channels() < 16) return "rows of few channels take longer to split than to multiply";
  return gemm::yields(engine, y[0] * y[1] * y[2], p.depth(), p.group_filters());
}
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "conv2d_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = conv2d_bf16_picture<gemm::amx::bf16>,
     .declines = conv2d_bf16_declines,
     .pack = &conv2d_pack_bf16_picture_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_f32_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = amx::conv2d_bf16,
     .yields = yields_split<gemm::amx::bf16>,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_bf16_op,
     .pack_params = pack_params,
     .pitched_result = true,
     .bf16_result = true},
    {.name = "conv2d_f32_bf16_winograd2_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = Winograd2Bf16::run,
     .declines = Winograd2Bf16::declines,
     .yields = Winograd2Bf16::yields,
     .workspace = Winograd2Bf16::workspace,
     .pack = &conv2d_pack_winograd2_bf16_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_f32_winograd4_avx512",
     .isa = Isa::Avx512,
     .run = Winograd4Avx512::run,
     .declines = winograd::declines,
     .yields = Winograd4Avx512::yields,
     .workspace = Winograd4Avx512::workspace,
     .pack = &conv2d_pack_winograd4_n64_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = conv2d_bf16_picture<gemm::avx512bf16::bf16>,
     .declines = conv2d_bf16_declines,
     .pack = &conv2d_pack_bf16_picture_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_f32_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = avx512bf16::conv2d_bf16,
     .yields = yields_split<gemm::avx512bf16::bf16>,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_bf16_op,
     .pack_params = pack_params,
     .pitched_result = true,
     .bf16_result = true},
    {.name = "conv2d_f32_winograd2_avx512",
     .isa = Isa::Avx512,
     .run = Winograd2Avx512::run,
     .declines = winograd::declines,
     .yields = Winograd2Avx512::yields,
     .workspace = Winograd2Avx512::workspace,
     .pack = &conv2d_pack_winograd2_n64_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "conv2d_f32_bf16x3_amx",
     .isa = Isa::Amx,
     .precision = Precision::High,
     .run = amx::conv2d_bf16x3,
     .yields = yields_split<gemm::amx::bf16x3>,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_bf16x3_op,
     .pack_params = pack_params,
     .pitched_result = true},
    {.name = "conv2d_f32_bf16x6_amx",
     .isa = Isa::Amx,
     .run = amx::conv2d_bf16x6,
     .yields = yields_split<gemm::amx::bf16x6>,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_bf16x6_op,
     .pack_params = pack_params,
     .pitched_result = true},
    {.name = "conv2d_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::conv2d,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_n64_op,
     .pack_params = pack_params,
     .pitched_result = true},
    {.name = "conv2d_f32_winograd4_avx2",
     .isa = Isa::Avx2,
     .run = Winograd4Avx2::run,
     .declines = winograd::declines,
     .yields = Winograd4Avx2::yields,
     .workspace = Winograd4Avx2::workspace,
     .pack = &conv2d_pack_winograd4_n16_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true},
    {.name = "conv2d_f32_winograd2_avx2",
     .isa = Isa::Avx2,
     .run = Winograd2Avx2::run,
     .declines = winograd::declines,
     .yields = Winograd2Avx2::yields,
     .workspace = Winograd2Avx2::workspace,
     .pack = &conv2d_pack_winograd2_n16_op,
     .pack_params = pack_params,
     .pitched_picture = true,
     .pitched_result = true},
    {.name = "conv2d_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::conv2d,
     .workspace = conv2d_workspace,
     .pack = &conv2d_pack_n16_op,
     .pack_params = pack_params,
     .pitched_result = true},
#endif
    {.name = "conv2d_f32_ref", .run = ref::conv2d},
};
}  // namespace

const Op conv2d_op{.name = "conv2d",
                   .parse = parse,
                   .infer = infer,
                   .kernels = kKernels,
                   .flops = flops,
                   .epilogue = epilogue,
                   .num_operands = 2,
                   .gradient = conv2d_gradient};

}  // namespace fastcnn

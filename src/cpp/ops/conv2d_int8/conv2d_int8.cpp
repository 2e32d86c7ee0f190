#include "ops/conv2d_int8/conv2d_int8.h"

#include "ops/op.h"
#include "ops/quantize/int8_attrs.h"
#include "ops/rooms.h"
#include "ops/window.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 3, 5);
  require_rank(op, "x", inputs[0], 4);
  require_rank(op, "kernel", inputs[1], 4);
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  Conv2dInt8Params p;
  p.channels = x[3];
  p.filters = w[3];
  require(w[0] >= 1 && w[1] >= 1 && w[2] == p.channels, ErrorKind::Shape, op,
          ": expected a kernel of shape (height, width, ", p.channels, ", filters) for x of shape ", x, ", got shape ",
          w);
  p.window = parse_window(attrs, x, w[0], w[1], 1, 1);
  p.end = parse_int8_epilogue(attrs, inputs);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<Conv2dInt8Params>();
  require(p.depth() <= kInt8MaxDepth, ErrorKind::Config, "conv2d_int8: expected at most ", kInt8MaxDepth,
          " terms of a sum, got ", p.depth());
  Shape y = inputs[0].shape;
  y[1] = window_output("conv2d_int8", "height", p.window.h, y[1]);
  y[2] = window_output("conv2d_int8", "width", p.window.w, y[2]);
  y[3] = p.filters;
  return {infer_int8_product("conv2d_int8", p.end, inputs, y)};
}

std::int64_t flops(const Problem& problem) {
  return 2 * problem.outputs[0].shape.size() * problem.as<Conv2dInt8Params>().depth();
}

// ---- packing: the kernel -> panels of filters ------------------------------------------------

#if FC_X86
Params pack_params(const Params&) { return Params(); }  // all is in the kernel's shape

template <int item, int pairs>
std::vector<TensorType> infer_pack(const Params&, std::span<const TensorType> inputs) {
  const Shape& w = inputs[0].shape;
  Shape s;
  s.push_back(Int8Packing{item, pairs, w.product(0, 3), w[3]}.bytes());
  return {{DType::S8, s}};
}

constexpr KernelInfo kPackPairs[] = {
    {.name = "conv2d_int8_pack_pairs_ref", .run = [](const KernelArgs& args) { conv2d_int8_pack(2, 2, args); }}};
constexpr KernelInfo kPackTiles[] = {
    {.name = "conv2d_int8_pack_tiles_ref", .run = [](const KernelArgs& args) { conv2d_int8_pack(1, 4, args); }}};
#endif

}  // namespace

#if FC_X86
const Op conv2d_int8_pack_pairs_op{
    .name = "conv2d_int8_pack_pairs", .parse = nullptr, .infer = infer_pack<2, 2>, .kernels = kPackPairs};
const Op conv2d_int8_pack_tiles_op{
    .name = "conv2d_int8_pack_tiles", .parse = nullptr, .infer = infer_pack<1, 4>, .kernels = kPackTiles};
#endif

// ---- the kernel table: best first, ref last -------------------------------------------------

namespace {
constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "conv2d_int8_amx",
     .isa = Isa::Amx,
     .run = [](const KernelArgs& args) { conv2d_int8(amx::int8_engine, args); },
     .workspace = conv2d_int8_workspace,
     .pack = &conv2d_int8_pack_tiles_op,
     .pack_params = pack_params},
    {.name = "conv2d_int8_avx512vnni",
     .isa = Isa::Avx512Vnni,
     .run = [](const KernelArgs& args) { conv2d_int8(avx512vnni::int8_engine, args); },
     .workspace = conv2d_int8_workspace,
     .pack = &conv2d_int8_pack_tiles_op,
     .pack_params = pack_params},
    {.name = "conv2d_int8_avx512",
     .isa = Isa::Avx512,
     .run = [](const KernelArgs& args) { conv2d_int8(avx512::int8_engine, args); },
     .workspace = conv2d_int8_workspace,
     .pack = &conv2d_int8_pack_pairs_op,
     .pack_params = pack_params},
    {.name = "conv2d_int8_avx2",
     .isa = Isa::Avx2,
     .run = [](const KernelArgs& args) { conv2d_int8(avx2::int8_engine, args); },
     .workspace = conv2d_int8_workspace,
     .pack = &conv2d_int8_pack_pairs_op,
     .pack_params = pack_params},
#endif
    {.name = "conv2d_int8_ref", .run = ref::conv2d_int8},
};
}  // namespace

const Op conv2d_int8_op{
    .name = "conv2d_int8", .parse = parse, .infer = infer, .kernels = kKernels, .flops = flops, .int8 = true};

}  // namespace fastcnn

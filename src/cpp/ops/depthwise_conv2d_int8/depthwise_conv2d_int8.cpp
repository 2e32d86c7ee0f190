#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"

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
  require(w[0] >= 1 && w[1] >= 1 && w[2] == x[3] && w[3] == 1, ErrorKind::Shape, op,
          ": expected a kernel of shape (height, width, ", x[3], ", 1) for x of shape ", x, ", got shape ", w);
  DepthwiseInt8Params p;
  p.window = parse_window(attrs, x, w[0], w[1], 1, 1);
  p.end = parse_int8_epilogue(attrs, inputs);
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<DepthwiseInt8Params>();
  require(p.window.h.size * p.window.w.size <= kInt8MaxDepth, ErrorKind::Config,
          "depthwise_conv2d_int8: expected at most ", kInt8MaxDepth, " terms of a sum");
  Shape y = inputs[0].shape;
  y[1] = window_output("depthwise_conv2d_int8", "height", p.window.h, y[1]);
  y[2] = window_output("depthwise_conv2d_int8", "width", p.window.w, y[2]);
  return {infer_int8_product("depthwise_conv2d_int8", p.end, inputs, y)};
}

std::int64_t flops(const Problem& problem) {
  const Window2d& window = problem.as<DepthwiseInt8Params>().window;
  return 2 * problem.outputs[0].shape.size() * window.h.size * window.w.size;
}

#if FC_X86
Params pack_params(const Params&) { return Params(); }  // all is in the kernel's shape

std::vector<TensorType> infer_pack(const Params&, std::span<const TensorType> inputs) {
  const Shape& w = inputs[0].shape;
  Shape s;
  s.push_back(DepthwiseInt8Packing{w[0], w[1], w[2]}.bytes());
  return {{DType::S8, s}};
}

constexpr KernelInfo kPack[] = {{.name = "depthwise_conv2d_int8_pack_ref", .run = depthwise_conv2d_int8_pack}};
#endif

}  // namespace

#if FC_X86
const Op depthwise_conv2d_int8_pack_op{
    .name = "depthwise_conv2d_int8_pack", .parse = nullptr, .infer = infer_pack, .kernels = kPack};
#endif

// ---- the kernel table: best first, ref last -------------------------------------------------

namespace {
constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "depthwise_conv2d_int8_lines_avx512vnni",
     .isa = Isa::Avx512Vnni,
     .run = depthwise_conv2d_int8_lines,
     .declines = depthwise_conv2d_int8_declines,
     .workspace = depthwise_conv2d_int8_workspace,
     .pack = &depthwise_conv2d_int8_pack_op,
     .pack_params = pack_params},
    {.name = "depthwise_conv2d_int8_avx512", .isa = Isa::Avx512, .run = avx512::depthwise_conv2d_int8},
    {.name = "depthwise_conv2d_int8_avx2", .isa = Isa::Avx2, .run = avx2::depthwise_conv2d_int8},
#endif
    {.name = "depthwise_conv2d_int8_ref", .run = ref::depthwise_conv2d_int8},
};
}  // namespace

const Op depthwise_conv2d_int8_op{
    .name = "depthwise_conv2d_int8", .parse = parse, .infer = infer, .kernels = kKernels, .flops = flops, .int8 = true};

}  // namespace fastcnn

#include "ops/resize/resize.h"

#include "ops/item_copy.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

ResizeParams read_kind(AttrReader& attrs, std::span<const TensorType> inputs, const char* operand) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), operand, inputs[0], 4);
  ResizeParams p;
  p.bilinear = attrs.choice("interpolation", {"nearest", "bilinear"}, "bilinear");
  p.coordinate =
      static_cast<Coordinate>(attrs.choice("coordinate", {"half_pixel", "align_corners", "asymmetric"}, "half_pixel"));
  return p;
}

Params parse_resize(AttrReader& attrs, std::span<const TensorType> inputs) {
  ResizeParams p = read_kind(attrs, inputs, "x");
  require(attrs.has("size"), ErrorKind::Config, "resize: size: expected (height, width)");
  std::tie(p.height, p.width) = attrs.pair("size", 1, 1);
  p.input_h = inputs[0].shape[1], p.input_w = inputs[0].shape[2];
  return Params(p);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  ResizeParams p = read_kind(attrs, inputs, "dy");
  require(attrs.has("input_size"), ErrorKind::Config, attrs.op(), ": input_size: expected the picture's size");
  std::tie(p.input_h, p.input_w) = attrs.pair("input_size", 1, 1);
  p.height = inputs[0].shape[1], p.width = inputs[0].shape[2];
  return Params(p);
}

std::vector<TensorType> infer_gradient(const Params& params, std::span<const TensorType> inputs) {
  require_f32("resize_gradient", inputs);
  const auto& p = params.as<ResizeParams>();
  TensorType x = inputs[0];
  x.shape[1] = p.input_h, x.shape[2] = p.input_w;
  return {x};
}

void resize_rule(NodeGradient& node) { node.set(0, node.add(resize_gradient_op, node.params(), {node.upstream()})); }

std::vector<TensorType> infer_resize(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<ResizeParams>();
  TensorType y = inputs[0];
  if (p.bilinear) require_f32("resize: bilinear", inputs);
  require(y.shape[1] > 0 && y.shape[2] > 0, ErrorKind::Shape, "resize: the picture must not be empty, got shape ",
          y.shape);
  y.shape[1] = p.height, y.shape[2] = p.width;
  return {y};
}

// ---- the kernels ----------------------------------------------------------------------------

std::int64_t nearest_workspace(const Problem& problem) {
  return problem.outputs[0].shape[2] * static_cast<std::int64_t>(sizeof(std::int64_t));
}

void run_nearest(const KernelArgs& args) {
  const auto& p = args.problem.as<ResizeParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const auto* from = args.in[0].as<unsigned char>();
  auto* to = args.out[0].as<unsigned char>();
  const std::int64_t pixel = item_size(args.in[0].type.dtype) * x[3], in_row = x[2] * pixel, out_row = y[2] * pixel;
  if (y.size() == 0) return;

  auto* column = static_cast<std::int64_t*>(args.workspace);
  for (std::int64_t j = 0; j < y[2]; ++j) column[j] = nearest_source(p.coordinate, j, x[2], y[2]) * pixel;

  constexpr std::int64_t kTaskBytes = 128 * 1024;
  with_item_size(pixel, [&](auto bytes) {
    parallel_ranges(y[0] * y[1], max_i64(1, kTaskBytes / out_row), [&](std::int64_t begin, std::int64_t end) {
      const unsigned char* last = nullptr;
      for (std::int64_t row = begin; row < end; ++row) {
        const unsigned char* in =
            from + (row / y[1] * x[1] + nearest_source(p.coordinate, row % y[1], x[1], y[1])) * in_row;
        unsigned char* out = to + row * out_row;
        if (in == last)
          copy_item(out, out - out_row, out_row);
        else
          for (std::int64_t j = 0; j < y[2]; ++j) copy_item(out + j * bytes, in + column[j], bytes);
        last = in;
      }
    });
  });
}

const char* not_nearest(const Problem& problem) {
  return problem.as<ResizeParams>().bilinear ? "does nearest only" : nullptr;
}

const char* not_bilinear(const Problem& problem) {
  return problem.as<ResizeParams>().bilinear ? nullptr : "does bilinear only";
}

#if FC_X86
std::int64_t bilinear_workspace(const Problem& problem) {
  const Shape &x = problem.inputs[0].shape, &y = problem.outputs[0].shape;
  const std::int64_t columns = y[2] * static_cast<std::int64_t>(sizeof(ResizeColumn));
  const std::int64_t tasks = ceil_div(y[0] * y[1], resize_task_rows(y));
  return columns + (resize_few_channels(y) ? tasks * x[2] * x[3] * 4 : 0);
}
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "resize_f32_bilinear_avx512",
     .isa = Isa::Avx512,
     .run = avx512::resize_bilinear,
     .declines = not_bilinear,
     .workspace = bilinear_workspace},
    {.name = "resize_f32_bilinear_avx2",
     .isa = Isa::Avx2,
     .run = avx2::resize_bilinear,
     .declines = not_bilinear,
     .workspace = bilinear_workspace},
#endif
    {.name = "resize_f32_bilinear_ref", .run = ref::resize_bilinear, .declines = not_bilinear},
    {.name = "resize_any_nearest_ref", .run = run_nearest, .declines = not_nearest, .workspace = nearest_workspace},
};

#if FC_X86
std::int64_t gradient_workspace(const Problem& problem) {
  const auto& p = problem.as<ResizeParams>();
  return (p.height + p.width) * static_cast<std::int64_t>(sizeof(BilinearTap)) +
         (p.input_h + p.input_w) * static_cast<std::int64_t>(sizeof(PixelRange));
}
#endif

constexpr KernelInfo kGradientKernels[] = {
#if FC_X86
    {.name = "resize_gradient_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::resize_gradient,
     .workspace = gradient_workspace},
    {.name = "resize_gradient_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::resize_gradient,
     .workspace = gradient_workspace},
#endif
    {.name = "resize_gradient_f32_ref", .run = ref::resize_gradient},
};

}  // namespace

const Op resize_op{
    .name = "resize", .parse = parse_resize, .infer = infer_resize, .kernels = kKernels, .gradient = resize_rule};
const Op resize_gradient_op{
    .name = "resize_gradient", .parse = parse_gradient, .infer = infer_gradient, .kernels = kGradientKernels};

}  // namespace fastcnn

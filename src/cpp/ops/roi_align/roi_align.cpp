#include "ops/roi_align/roi_align.h"

#include <cmath>

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

RoiAlignParams read(AttrReader& attrs) {
  RoiAlignParams p;
  p.sampling_ratio = attrs.integer("sampling_ratio", 0);
  require(p.sampling_ratio >= 0 && p.sampling_ratio <= 256, ErrorKind::Config, attrs.op(),
          ": sampling_ratio: expected 0 (as many as there are pixels) to 256, got ", p.sampling_ratio);
  p.spatial_scale = attrs.number("spatial_scale", 1.0);
  require(std::isfinite(p.spatial_scale), ErrorKind::Config, attrs.op(), ": spatial_scale: expected a number, got ",
          p.spatial_scale);
  p.aligned = attrs.boolean("aligned", false);
  p.max = attrs.choice("mode", {"avg", "max"}, "avg");
  return p;
}

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  require_rank(attrs.op(), "x", inputs[0], 4);
  RoiAlignParams p = read(attrs);
  require(attrs.has("output_size"), ErrorKind::Config, attrs.op(), ": output_size: expected (height, width)");
  std::tie(p.height, p.width) = attrs.pair("output_size", 1, 1);
  const Shape& x = inputs[0].shape;
  p.pictures = x[0], p.input_h = x[1], p.input_w = x[2];
  return Params(p);
}

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 3, 3);
  require_rank(attrs.op(), "dy", inputs[0], 4);
  RoiAlignParams p = read(attrs);
  require(!p.max, ErrorKind::Unsupported, attrs.op(), ": only averages have a gradient");
  p.height = inputs[0].shape[1], p.width = inputs[0].shape[2];
  require(attrs.has("input_size"), ErrorKind::Config, attrs.op(), ": input_size: expected the picture's size");
  std::tie(p.input_h, p.input_w) = attrs.pair("input_size", 1, 1);
  p.pictures = attrs.integer("pictures", 1);
  require(p.pictures >= 0 && p.pictures < (std::int64_t{1} << 31), ErrorKind::Config, attrs.op(),
          ": pictures: expected their number, got ", p.pictures);
  return Params(p);
}

void require_boxes(const char* op, std::span<const TensorType> inputs) {
  require_f32(op, inputs.first(2));
  const Shape &boxes = inputs[1].shape, &pictures = inputs[2].shape;
  require(boxes.rank == 2 && boxes[1] == 4, ErrorKind::Shape, op, ": expected boxes of shape (k, 4), got ", boxes);
  require(inputs[2].dtype == DType::I64, ErrorKind::DType, op, ": expected the pictures' numbers as int64, got ",
          inputs[2]);
  require(pictures.rank == 1 && pictures[0] == boxes[0], ErrorKind::Shape, op, ": expected a picture for each of ",
          boxes[0], " boxes, got shape ", pictures);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<RoiAlignParams>();
  require_boxes("roi_align", inputs);
  Shape y = inputs[0].shape;
  require(y[1] > 0 && y[2] > 0, ErrorKind::Shape, "roi_align: the picture must not be empty, got shape ", y);
  y[0] = inputs[1].shape[0], y[1] = p.height, y[2] = p.width;
  return {f32(y)};
}

std::vector<TensorType> infer_gradient(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<RoiAlignParams>();
  require_boxes("roi_align_gradient", inputs);
  Shape x = inputs[0].shape;
  require(x[0] == inputs[1].shape[0], ErrorKind::Shape, "roi_align_gradient: expected dy for each of ",
          inputs[1].shape[0], " boxes, got shape ", x);
  x[0] = p.pictures, x[1] = p.input_h, x[2] = p.input_w;
  return {f32(x)};
}

void rule(NodeGradient& node) {
  require(!node.params().as<RoiAlignParams>().max, ErrorKind::Unsupported, "roi_align: only averages have a gradient");
  if (node.wants(0))
    node.set(0, node.add(roi_align_gradient_op, node.params(), {node.upstream(), node.input(1), node.input(2)}));
}

constexpr KernelInfo kKernels[] = {{.name = "roi_align_f32_ref", .run = ref::roi_align}};
constexpr KernelInfo kGradientKernels[] = {{.name = "roi_align_gradient_f32_ref", .run = ref::roi_align_gradient}};

}  // namespace

const Op roi_align_op{.name = "roi_align", .parse = parse, .infer = infer, .kernels = kKernels, .gradient = rule};
const Op roi_align_gradient_op{
    .name = "roi_align_gradient", .parse = parse_gradient, .infer = infer_gradient, .kernels = kGradientKernels};

}  // namespace fastcnn

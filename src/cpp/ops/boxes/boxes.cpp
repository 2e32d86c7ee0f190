#include "ops/boxes/boxes.h"

#include <cmath>
#include <limits>

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

// The largest float that is not above x.
float round_down(double x) {
  const float f = static_cast<float>(x);
  return static_cast<double>(f) > x ? std::nextafter(f, -std::numeric_limits<float>::infinity()) : f;
}

float threshold(AttrReader& attrs, const char* name, double fallback, double low, double high) {
  const double x = attrs.number(name, fallback);
  require(x >= low && x <= high, ErrorKind::Config, attrs.op(), ": ", name, ": expected a number from ", low, " to ",
          high, ", got ", x);
  return round_down(x);
}

std::int64_t max_output(AttrReader& attrs) {
  const std::int64_t n = attrs.integer("max_output", std::numeric_limits<std::int64_t>::max());
  require(n >= 0, ErrorKind::Config, attrs.op(), ": max_output: expected at least 0, got ", n);
  return n;
}

void require_boxes(const char* op, const char* operand, const TensorType& type) {
  require_f32(op, {&type, 1});
  require(type.shape.rank == 2 && type.shape[1] == 4, ErrorKind::Shape, op, ": ", operand,
          " must have shape (n, 4), got ", type.shape);
}

Params parse_box_iou(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  BoxIouParams p;
  p.kind = static_cast<IouKind>(attrs.choice("kind", {"iou", "giou", "diou", "ciou"}, "iou"));
  const double eps = attrs.number("eps", 1e-7);
  require(eps >= 0 && std::isfinite(eps), ErrorKind::Config, attrs.op(), ": eps: expected at least 0, got ", eps);
  p.eps = static_cast<float>(eps);
  return Params(p);
}

std::vector<TensorType> infer_box_iou(const Params&, std::span<const TensorType> inputs) {
  require_boxes("box_iou", "boxes1", inputs[0]);
  require_boxes("box_iou", "boxes2", inputs[1]);
  Shape y;
  y.push_back(inputs[0].shape[0]);
  y.push_back(inputs[1].shape[0]);
  return {f32(y)};
}

Params parse_nms(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 3);
  NmsParams p;
  p.iou_limit = threshold(attrs, "iou_threshold", 0.5, 0, 1);
  if ((p.has_score_limit = attrs.has("score_threshold"))) {
    const double infinity = std::numeric_limits<double>::infinity();
    p.score_limit = threshold(attrs, "score_threshold", 0, -infinity, infinity);
  }
  p.max_output = max_output(attrs);
  p.kind = attrs.choice("kind", {"iou", "diou"}, "iou") == 0 ? IouKind::Iou : IouKind::Diou;
  return Params(p);
}

TensorType vector_of(DType dtype, std::int64_t n) {
  Shape s;
  s.push_back(n);
  return {dtype, s};
}

void require_scores(const char* op, std::span<const TensorType> inputs) {
  require_boxes(op, "boxes", inputs[0]);
  const std::int64_t n = inputs[0].shape[0];
  require(inputs[1] == vector_of(DType::F32, n), ErrorKind::Shape, op, ": scores must be ", vector_of(DType::F32, n),
          " for boxes ", inputs[0], ", got ", inputs[1]);
}

// indices (n), count (1)
std::vector<TensorType> infer_nms(const Params&, std::span<const TensorType> inputs) {
  require_scores("nms", inputs);
  const TensorType ids = vector_of(DType::I64, inputs[0].shape[0]);
  if (inputs.size() == 3)
    require(inputs[2] == ids, ErrorKind::Shape, "nms: class ids must be ", ids, " for boxes ", inputs[0], ", got ",
            inputs[2]);
  return {ids, vector_of(DType::I64, 1)};
}

Params parse_soft_nms(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  SoftNmsParams p;
  p.decay = static_cast<Decay>(attrs.choice("method", {"linear", "gaussian"}, "gaussian"));
  p.iou_limit = threshold(attrs, "iou_threshold", 0.3, 0, 1);
  const double infinity = std::numeric_limits<double>::infinity();
  p.score_limit = threshold(attrs, "score_threshold", 0.001, 0, infinity);
  const double sigma = attrs.number("sigma", 0.5);
  p.inverse_sigma = static_cast<float>(1.0 / sigma);
  require(sigma > 0 && std::isfinite(sigma) && std::isfinite(p.inverse_sigma), ErrorKind::Config,
          "soft_nms: sigma: expected a finite number above 0, got ", sigma);
  p.max_output = max_output(attrs);
  return Params(p);
}

// indices (n), scores (n), count (1)
std::vector<TensorType> infer_soft_nms(const Params&, std::span<const TensorType> inputs) {
  require_scores("soft_nms", inputs);
  const std::int64_t n = inputs[0].shape[0];
  return {vector_of(DType::I64, n), vector_of(DType::F32, n), vector_of(DType::I64, 1)};
}

const char* decline_too_many(const Problem& problem) {
  return problem.inputs[0].shape[0] >= (std::int64_t{1} << 31) ? "counts boxes in 32 bits" : nullptr;
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kBoxIouKernels[] = {
#if FC_X86
    {.name = "box_iou_f32_avx512", .isa = Isa::Avx512, .run = avx512::box_iou, .workspace = box_iou_workspace},
    {.name = "box_iou_f32_avx2", .isa = Isa::Avx2, .run = avx2::box_iou, .workspace = box_iou_workspace},
#endif
    {.name = "box_iou_f32_ref", .run = ref::box_iou},
};

constexpr KernelInfo kNmsKernels[] = {
#if FC_X86
    {.name = "nms_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::nms,
     .declines = decline_too_many,
     .workspace = nms_workspace},
    {.name = "nms_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::nms,
     .declines = decline_too_many,
     .workspace = nms_workspace},
#endif
    {.name = "nms_f32_ref", .run = ref::nms},
};

constexpr KernelInfo kSoftNmsKernels[] = {
#if FC_X86
    {.name = "soft_nms_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::soft_nms,
     .declines = decline_too_many,
     .workspace = soft_nms_workspace},
    {.name = "soft_nms_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::soft_nms,
     .declines = decline_too_many,
     .workspace = soft_nms_workspace},
#endif
    {.name = "soft_nms_f32_ref", .run = ref::soft_nms},
};

}  // namespace

const Op box_iou_op{.name = "box_iou", .parse = parse_box_iou, .infer = infer_box_iou, .kernels = kBoxIouKernels};
const Op nms_op{.name = "nms", .parse = parse_nms, .infer = infer_nms, .kernels = kNmsKernels};
const Op soft_nms_op{.name = "soft_nms", .parse = parse_soft_nms, .infer = infer_soft_nms, .kernels = kSoftNmsKernels};

}  // namespace fastcnn

// Computes   IoU, GIoU, DIoU or CIoU of every pair of boxes (the contract: boxes.h).
// Layout     boxes (n, 4); the columns' boxes are split once into one array a quantity, a vector holds neighbours.
// Tile       one row box in 5 broadcast registers against one vector of column boxes: 5 loads, 1 store.
// Why        the result is written once and the columns stay in L1: bound by the division and by the stores.
// Needs      nothing: the tail is a masked load.
// Accuracy   the contract's formula, one rounding an operation: the reference's bits.
#include "ops/boxes/boxes.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

struct BoxVector {
  F32 x1, y1, x2, y2, area;
};

FC_INLINE BoxVector broadcast(Box b) { return {set(b.x1), set(b.y1), set(b.x2), set(b.y2), set(box_area(b))}; }

FC_INLINE F32 positive(F32 x) { return max(zero(), x); }  // a NaN stays

FC_INLINE F32 intersection(const BoxVector& a, const BoxVector& b) {
  return positive(min(a.x2, b.x2) - max(a.x1, b.x1)) * positive(min(a.y2, b.y2) - max(a.y1, b.y1));
}

FC_INLINE F32 quotient_or_zero(F32 a, F32 b) { return select(b == zero(), zero(), a / b); }

// What distance IoU takes off: the centres' squared distance over the hull's squared diagonal.
FC_INLINE F32 distance_penalty(const BoxVector& a, const BoxVector& b, F32 width, F32 height, F32 eps) {
  const F32 half = set(0.5f);
  const F32 dx = (a.x1 + a.x2) * half - (b.x1 + b.x2) * half, dy = (a.y1 + a.y2) * half - (b.y1 + b.y2) * half;
  return quotient_or_zero(dx * dx + dy * dy, (width * width + height * height) + eps);
}

FC_INLINE F32 hull_width(const BoxVector& a, const BoxVector& b) { return positive(max(a.x2, b.x2) - min(a.x1, b.x1)); }
FC_INLINE F32 hull_height(const BoxVector& a, const BoxVector& b) {
  return positive(max(a.y2, b.y2) - min(a.y1, b.y1));
}

template <IouKind kind>
FC_INLINE F32 similarity(const BoxVector& a, F32 angle_a, const BoxVector& b, const BoxColumns& c, std::int64_t j,
                         std::int64_t n, F32 eps) {
  const F32 inter = intersection(a, b), all = (a.area + b.area) - inter;
  const F32 iou = quotient_or_zero(inter, all);
  if constexpr (kind == IouKind::Iou) return iou;
  const F32 width = hull_width(a, b), height = hull_height(a, b);
  if constexpr (kind == IouKind::Giou) {
    const F32 hull = width * height;
    return iou - quotient_or_zero(hull - all, hull);
  }
  const F32 diou = iou - distance_penalty(a, b, width, height, eps);
  if constexpr (kind == IouKind::Diou) return diou;
  const F32 angle = angle_a - load(c.angle + j, n);
  const F32 v = set(0.405284734569351f) * (angle * angle);
  return diou - quotient_or_zero(v * v, ((set(1.0f) - iou) + v) + eps);
}

template <IouKind kind>
FC_INLINE void box_iou_rows(const KernelArgs& args) {
  const Box* rows = args.in[0].as<Box>();
  float* out = args.out[0].as<float>();
  const std::int64_t n = args.out[0].shape()[0], m = args.out[0].shape()[1];
  const BoxColumns c = box_columns(args);
  const F32 eps = set(args.problem.as<BoxIouParams>().eps);

  constexpr std::int64_t kTaskOutputs = 16384;
  parallel_ranges(n, max_i64(1, kTaskOutputs / max_i64(1, m)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const BoxVector a = broadcast(rows[i]);
      const F32 angle = kind == IouKind::Ciou ? set(box_angle(rows[i])) : zero();
      for (std::int64_t j = 0; j < m; j += F32::width) {
        const std::int64_t left = m - j;
        const BoxVector b{load(c.x1 + j, left), load(c.y1 + j, left), load(c.x2 + j, left), load(c.y2 + j, left),
                          load(c.area + j, left)};
        store(out + i * m + j, similarity<kind>(a, angle, b, c, j, left, eps), left);
      }
    }
  });
}

}  // namespace

void box_iou(const KernelArgs& args) {
  switch (args.problem.as<BoxIouParams>().kind) {
    case IouKind::Iou: return box_iou_rows<IouKind::Iou>(args);
    case IouKind::Giou: return box_iou_rows<IouKind::Giou>(args);
    case IouKind::Diou: return box_iou_rows<IouKind::Diou>(args);
    case IouKind::Ciou: return box_iou_rows<IouKind::Ciou>(args);
  }
}

}  // namespace fastcnn::FC_SIMD

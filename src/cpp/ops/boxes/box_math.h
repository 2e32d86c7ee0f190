// The formulas of the contract, one pair of boxes at a time: for the reference and for devices. Not for ISA files.
//
// Every operation is rounded once. A product that is a term of a sum is written times(a, b), which a device's compiler
// does not fuse with the sum.
#pragma once

#include <cmath>
#include <type_traits>

#include "ops/boxes/boxes.h"

namespace fastcnn {

FC_INLINE float positive(float x) { return 0.0f > x ? 0.0f : x; }  // a NaN stays
FC_INLINE float smaller(float a, float b) { return a < b ? a : b; }
FC_INLINE float larger(float a, float b) { return a > b ? a : b; }
FC_INLINE float quotient_or_zero(float a, float b) { return b == 0 ? 0 : a / b; }

FC_INLINE float intersection(Box a, Box b) {
  return times(positive(smaller(a.x2, b.x2) - larger(a.x1, b.x1)), positive(smaller(a.y2, b.y2) - larger(a.y1, b.y1)));
}

struct MeasuredBox {  // with what is computed once a box; the angle is for CIoU alone
  Box box;
  float area, angle;
};

FC_INLINE float angle_of(Box b) { return atan2f(positive(b.x2 - b.x1), positive(b.y2 - b.y1)); }

template <IouKind kind>
FC_INLINE MeasuredBox measure(Box b) {
  return {b, box_area(b), kind == IouKind::Ciou ? angle_of(b) : 0.0f};
}

template <IouKind kind>
FC_INLINE float similarity(const MeasuredBox& first, const MeasuredBox& second, float eps) {
  const Box &a = first.box, &b = second.box;
  const float inter = intersection(a, b), all = (first.area + second.area) - inter;
  const float iou = quotient_or_zero(inter, all);
  if constexpr (kind == IouKind::Iou) return iou;
  const float width = positive(larger(a.x2, b.x2) - smaller(a.x1, b.x1));
  const float height = positive(larger(a.y2, b.y2) - smaller(a.y1, b.y1));
  if constexpr (kind == IouKind::Giou) {
    const float hull = times(width, height);
    return iou - quotient_or_zero(hull - all, hull);
  }
  const float dx = times(a.x1 + a.x2, 0.5f) - times(b.x1 + b.x2, 0.5f);
  const float dy = times(a.y1 + a.y2, 0.5f) - times(b.y1 + b.y2, 0.5f);
  const float apart = times(dx, dx) + times(dy, dy), diagonal = times(width, width) + times(height, height);
  const float diou = iou - quotient_or_zero(apart, diagonal + eps);
  if constexpr (kind == IouKind::Diou) return diou;
  const float angle = first.angle - second.angle;
  const float v = times(0.405284734569351f, times(angle, angle));
  return diou - quotient_or_zero(times(v, v), ((1.0f - iou) + v) + eps);
}

// Calls body with the kind as a constant.
template <class Body>
inline void with_kind(IouKind kind, const Body& body) {
  switch (kind) {
    case IouKind::Iou: return body(std::integral_constant<IouKind, IouKind::Iou>{});
    case IouKind::Giou: return body(std::integral_constant<IouKind, IouKind::Giou>{});
    case IouKind::Diou: return body(std::integral_constant<IouKind, IouKind::Diou>{});
    case IouKind::Ciou: return body(std::integral_constant<IouKind, IouKind::Ciou>{});
  }
}

// The polynomial of simd/math.inl with every fused operation kept: soft_nms must rank alike on every machine.
FC_INLINE float decay_exp(float x) {
  const float n = nearbyintf(times(x, 1.44269504088896341f));
  float r = fmaf(-n, 0.693359375f, x);
  r = fmaf(-n, -2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fmaf(p, r, 1.3981999507e-3f);
  p = fmaf(p, r, 8.3334519073e-3f);
  p = fmaf(p, r, 4.1665795894e-2f);
  p = fmaf(p, r, 1.6666665459e-1f);
  p = fmaf(p, r, 5.0000001201e-1f);
  p = fmaf(p, times(r, r), r) + 1.0f;
  return x < -87.33654f ? 0.0f : ldexpf(p, static_cast<int>(n));  // x <= 0 and normal results: ldexp is exact
}

// What soft_nms makes of a score beside a box that was taken.
FC_INLINE float decayed(float score, float overlap, const SoftNmsParams& p) {
  if (p.decay == Decay::Gaussian)
    return overlap == overlap ? score * decay_exp(times(-times(overlap, overlap), p.inverse_sigma)) : score;
  return overlap > p.iou_limit ? score * (1.0f - overlap) : score;
}

}  // namespace fastcnn

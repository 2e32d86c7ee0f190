// boxes: the contract of IoU between boxes, non-maximum suppression and its soft form.
// A box is (x1, y1, x2, y2). In float32, each operation rounded once and in this order:
//
//   area(a)   = max(0, x2 - x1) * max(0, y2 - y1)
//   inter     = max(0, min(a.x2, b.x2) - max(a.x1, b.x1)) * (the same in y)
//   union     = (area(a) + area(b)) - inter
//   iou       = inter / union, and 0 where union is 0
//   giou      = iou - (hull - union) / hull            hull: area of the smallest box around both; 0 -> no penalty
//   diou      = iou - distance^2 / (diagonal^2 + eps)  of the centres, of the hull; 0 / 0 -> no penalty
//   ciou      = diou - v^2 / (((1 - iou) + v) + eps)   v = 4/pi^2 (angle(a) - angle(b))^2, angle = atan2(width, height)
//
// Corner cases, the same for every kernel, and the same bits:
//   - a box with no area (x2 <= x1 or y2 <= y1, or an area that is 0 in float32) has IoU 0 with every box, itself
//     included: never 0/0;
//   - a NaN coordinate makes the box's whole row (column) NaN; infinite ones, and areas that overflow, give what IEEE
//     arithmetic makes of the formula;
//   - nms: boxes are taken by decreasing score, equal scores (0 and -0 too) by increasing index; a box is kept unless
//     iou > iou_threshold with a box already kept (of its own class, where classes are given). A NaN IoU is not
//     greater: boxes with NaN coordinates suppress nothing and are not suppressed. Of the kind diou, diou (with eps
//     1e-7) takes the place of iou, which it never exceeds;
//   - thresholds are exact: the float32 on the left is compared with the threshold as given in float64;
//   - a score passes when score > score_threshold; a NaN score never passes, with or without a threshold;
//   - results have the length of the operands: indices[0 .. count) in the order in which boxes were kept, then -1;
//   - soft_nms: takes the highest score (ties: lower index), then multiplies every remaining score by
//     exp(-iou^2 / sigma) (gaussian), or by (1 - iou) where iou > iou_threshold (linear), and drops a box as soon as
//     its score does not pass. A NaN IoU decays nothing. scores[0 .. count) are the scores when taken, then 0.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class IouKind : std::int32_t { Iou, Giou, Diou, Ciou };

constexpr float kNmsEps = 1e-7f;

struct BoxIouParams {
  IouKind kind = IouKind::Iou;
  float eps = 0;
};

// The limits are the thresholds rounded down to float32: x > threshold and x > limit are then the same for a float x.
struct NmsParams {
  std::int64_t max_output = 0;
  IouKind kind = IouKind::Iou;  // or Diou
  float iou_limit = 0;
  float score_limit = 0;
  std::int32_t has_score_limit = 0;
};

enum class Decay : std::int32_t { Linear, Gaussian };

struct SoftNmsParams {
  std::int64_t max_output = 0;
  float iou_limit = 0;
  float score_limit = 0;
  float inverse_sigma = 0;
  Decay decay = Decay::Gaussian;
};

struct Box {
  float x1, y1, x2, y2;
};

FC_INLINE float box_area(Box b) {
  const float w = b.x2 - b.x1, h = b.y2 - b.y1;
  return times(0.0f > w ? 0.0f : w, 0.0f > h ? 0.0f : h);  // a NaN stays
}

// What the kernels of box_iou read, one array a quantity: filled by the room for the columns (boxes b).
struct BoxColumns {
  const float *x1, *y1, *x2, *y2, *area, *angle;  // angle: only for ciou
};

// One class of one call of nms: `order` holds its boxes by decreasing score, keep[i] tells whether order[i] is kept.
// Scratch arrays are of `count` elements each.
struct NmsSegment {
  const Box* boxes;
  const std::int32_t* order;
  std::uint8_t* keep;
  std::int64_t count, max_output;
  float iou_limit;
  IouKind kind;
  float *sorted[5], *kept[5], *cells[5];  // x1, y1, x2, y2, area: by score; kept so far; kept so far, by cell
  std::int32_t *cell, *cell_start, *cell_size;
};

// The remaining boxes of soft_nms, in increasing index order; `count` may only shrink.
struct SoftNmsState {
  float *x1, *y1, *x2, *y2, *area, *score;
  std::int32_t* index;
  std::int64_t count;
};

#define FC_BOXES_KERNELS                \
  void box_iou(const KernelArgs& args); \
  void nms(const KernelArgs& args);     \
  void soft_nms(const KernelArgs& args);

namespace ref {
FC_BOXES_KERNELS
}
#if FC_X86
namespace avx2 {
FC_BOXES_KERNELS
}
namespace avx512 {
FC_BOXES_KERNELS
}
#endif
#undef FC_BOXES_KERNELS

// What the vector kernels share (boxes_shared.cpp): everything that is not arithmetic on many boxes at once.
BoxColumns box_columns(const KernelArgs& args);
std::int64_t box_iou_workspace(const Problem& problem);
float box_angle(Box b);
// Sorts, splits by class, calls `segment` for each class and collects.
void run_nms(const KernelArgs& args, void (*segment)(const NmsSegment&));
std::int64_t nms_workspace(const Problem& problem);
SoftNmsState soft_nms_start(const KernelArgs& args);
std::int64_t soft_nms_workspace(const Problem& problem);

}  // namespace fastcnn

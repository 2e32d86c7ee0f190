// roi_align: what lies in boxes of pictures, as pictures of one size. NHWC.
//
// Operands: x (n, h, w, c); boxes (k, 4), x1 y1 x2 y2 in units of 1 / spatial_scale pixels; the picture of each box
// (k), int64. Result (k, oh, ow, c). Each output covers box / (oh, ow) pixels, takes r x s evenly spaced samples there
// (sampling_ratio both ways, or, where that is 0, as many as it covers pixels, rounded up), each a bilinear mixture of
// four pixels, and is their average. Or (mode "max", ONNX's) it is the largest share that a pixel has in one of the
// samples, weight times value. `aligned` moves boxes by half a pixel; without it a
// box is at least one pixel wide and high. As torchvision's.
//
// Corner cases: a sample more than a pixel outside the picture is 0, others are moved to its border; a box of a picture
// that there is not, or with a coordinate that is not finite, gives zeros; an output has at most 256 samples along an
// axis. A sample is NaN where one of its four pixels is; so is a maximum of shares.
//
// roi_align_gradient (average only): operands dy, boxes, pictures: what each pixel gave, box by box in their order.
#pragma once

#include <cmath>

#include "ops/problem.h"

namespace fastcnn {

struct RoiAlignParams {
  std::int64_t height = 0, width = 0;                   // of the result
  std::int64_t pictures = 0, input_h = 0, input_w = 0;  // what gradients make
  std::int64_t sampling_ratio = 0;
  double spatial_scale = 1.0;
  std::int32_t aligned = 0, max = 0;
};

// The samples of a box along one axis, in pixels.
struct RoiAxis {
  float start, bin, step;
  std::int64_t count;  // in an output; -1: the box has no place in the picture
};

FC_INLINE RoiAxis roi_axis(const RoiAlignParams& p, float low, float high, std::int64_t outputs) {
  const float offset = p.aligned ? 0.5f : 0.0f, scale = static_cast<float>(p.spatial_scale);
  const float start = times(low, scale) - offset;
  float extent = times(high, scale) - offset - start;
  if (!p.aligned && !(extent > 1.0f)) extent = 1.0f;
  const float bin = extent / static_cast<float>(outputs);
  if (!std::isfinite(start) || !std::isfinite(bin)) return {0, 0, 0, -1};
  std::int64_t count = p.sampling_ratio;
  if (count == 0) count = static_cast<std::int64_t>(std::fmin(std::fmax(std::ceil(bin), 0.0f), 256.0f));
  return {start, bin, bin / static_cast<float>(max_i64(1, count)), count};
}

// The two pixels that a sample mixes along one axis; first = -1 where it lies outside.
struct RoiTap {
  std::int64_t first, second;
  float share;
};

FC_INLINE RoiTap roi_tap(const RoiAxis& a, std::int64_t out, std::int64_t sample, std::int64_t size) {
  float at = a.start + times(static_cast<float>(out), a.bin) + times(static_cast<float>(sample) + 0.5f, a.step);
  if (!(at >= -1.0f && at <= static_cast<float>(size))) return {-1, -1, 0};
  if (at < 0.0f) at = 0.0f;
  const std::int64_t first = static_cast<std::int64_t>(at);
  if (first >= size - 1) return {size - 1, size - 1, 0};
  return {first, first + 1, at - static_cast<float>(first)};
}

// Where a box is sampled; not valid where it has no place in a picture.
struct RoiSamples {
  RoiAxis rows, columns;
  bool valid;
};

FC_INLINE RoiSamples roi_samples(const RoiAlignParams& p, const float* box, std::int64_t picture) {
  const RoiAxis rows = roi_axis(p, box[1], box[3], p.height), columns = roi_axis(p, box[0], box[2], p.width);
  return {rows, columns, picture >= 0 && picture < p.pictures && rows.count >= 0 && columns.count >= 0};
}

namespace ref {
void roi_align(const KernelArgs& args);
void roi_align_gradient(const KernelArgs& args);
}  // namespace ref

}  // namespace fastcnn

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

#include "ops/problem.h"

namespace fastcnn {

struct RoiAlignParams {
  std::int64_t height = 0, width = 0;                   // of the result
  std::int64_t pictures = 0, input_h = 0, input_w = 0;  // what gradients make
  std::int64_t sampling_ratio = 0;
  double spatial_scale = 1.0;
  std::int32_t aligned = 0, max = 0;
};

namespace ref {
void roi_align(const KernelArgs& args);
void roi_align_gradient(const KernelArgs& args);
}  // namespace ref

}  // namespace fastcnn

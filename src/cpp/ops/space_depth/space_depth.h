// space_to_depth: every block of b x b pixels becomes one pixel, (N, H, W, C) -> (N, H/b, W/b, C*b*b);
// depth_to_space: the way back. NHWC, any dtype. Where pixel (r, s) of a block puts its channel c:
//
//   DCR   (r * b + s) * C + c     TensorFlow and Keras, ONNX mode "DCR"
//   CRD   c * b * b + r * b + s   torch.nn.functional.pixel_shuffle / pixel_unshuffle, ONNX mode "CRD"
#pragma once

#include "ops/problem.h"
#include "ops/strided_copy.h"

namespace fastcnn {

struct SpaceDepthParams {
  std::int64_t block = 1;
  std::int32_t crd = 0;
};

// Both are a copy between two orders of (n, i, r, j, s, c).
struct SpaceDepthSteps {
  std::int64_t n, i, r, j, s, c;  // bytes: picture, block row, row in block, block column, column in block, channel
};

// `wide` is the shape with the larger picture.
FC_INLINE SpaceDepthSteps space_steps(const Shape& wide, std::int64_t item, std::int64_t b) {
  const std::int64_t c = item, pixel = wide[3] * c, row = wide[2] * pixel;
  return {wide[1] * row, b * row, row, b * pixel, pixel, c};
}

FC_INLINE SpaceDepthSteps depth_steps(const Shape& wide, std::int64_t item, std::int64_t b, bool crd) {
  const std::int64_t pixel = wide[3] * b * b * item, row = wide[2] / b * pixel;
  return {wide[1] / b * row,        row, crd ? b * item : b * wide[3] * item, pixel, crd ? item : wide[3] * item,
          crd ? b * b * item : item};
}

FC_INLINE StridedCopy to_depth_box(const SpaceDepthParams& p, const Tensor& x_tensor, const Tensor& y) {
  const Shape& x = x_tensor.shape();
  StridedCopy box = StridedCopy::between(x_tensor, y);
  const SpaceDepthSteps from = space_steps(x, box.item, p.block), to = depth_steps(x, box.item, p.block, p.crd);
  box.add_axis(x[0], from.n, to.n);
  box.add_axis(x[1] / p.block, from.i, to.i);
  box.add_axis(x[2] / p.block, from.j, to.j);
  if (p.crd) box.add_axis(x[3], from.c, to.c);
  box.add_axis(p.block, from.r, to.r);
  box.add_axis(p.block, from.s, to.s);
  if (!p.crd) box.add_axis(x[3], from.c, to.c);
  return box;
}

FC_INLINE StridedCopy to_space_box(const SpaceDepthParams& p, const Tensor& x, const Tensor& y_tensor) {
  const Shape& y = y_tensor.shape();
  StridedCopy box = StridedCopy::between(x, y_tensor);
  const SpaceDepthSteps from = depth_steps(y, box.item, p.block, p.crd), to = space_steps(y, box.item, p.block);
  box.add_axis(y[0], from.n, to.n);
  box.add_axis(y[1] / p.block, from.i, to.i);
  box.add_axis(p.block, from.r, to.r);
  box.add_axis(y[2] / p.block, from.j, to.j);
  box.add_axis(p.block, from.s, to.s);
  box.add_axis(y[3], from.c, to.c);
  return box;
}

}  // namespace fastcnn

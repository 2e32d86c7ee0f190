// space_to_depth: every block of b x b pixels becomes one pixel, (N, H, W, C) -> (N, H/b, W/b, C*b*b);
// depth_to_space: the way back. NHWC, any dtype. Where pixel (r, s) of a block puts its channel c:
//
//   DCR   (r * b + s) * C + c     TensorFlow and Keras, ONNX mode "DCR"
//   CRD   c * b * b + r * b + s   torch.nn.functional.pixel_shuffle / pixel_unshuffle, ONNX mode "CRD"
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct SpaceDepthParams {
  std::int64_t block = 1;
  std::int32_t crd = 0;
};

}  // namespace fastcnn

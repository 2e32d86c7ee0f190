// The explicit list of all ops: one line a room, in the rooms' alphabetical order.
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {

std::span<const Op* const> all_ops() {
  static const Op* const ops[] = {
      // activation
      // batch_norm
      // binary
      &box_iou_op,
      &nms_op,
      &soft_nms_op,  // boxes
      // concat
      // conv2d
      // conv2d_transpose
      // dense
      // depthwise_conv2d
      // distance
      // gram
      // norm
      // pad
      &max_pool2d_op,
      &avg_pool2d_op,
      &adaptive_avg_pool2d_op,  // pool2d
                                // reduce
                                // reshape
                                // resize
                                // slice
                                // softmax
                                // space_depth
                                // transpose
  };
  return ops;
}

}  // namespace fastcnn

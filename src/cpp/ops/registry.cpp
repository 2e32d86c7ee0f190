// The explicit list of all ops: one line a room, in the rooms' alphabetical order.
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {

std::span<const Op* const> all_ops() {
  static const Op* const ops[] = {
      // activation
      // batch_norm
      // binary
      // boxes
      &concat_op,  // concat
      // conv2d
      // conv2d_transpose
      // dense
      &depthwise_conv2d_op,  // depthwise_conv2d
      // distance
      // gram
      // norm
      &pad_op,  // pad
      &max_pool2d_op,
      &avg_pool2d_op,
      &adaptive_avg_pool2d_op,  // pool2d
                                // reduce
      &reshape_op,
      &broadcast_to_op,  // reshape
      &resize_op,  // resize
      &slice_op,  // slice
                                // softmax
      &space_to_depth_op,
      &depth_to_space_op,  // space_depth
      &transpose_op,  // transpose
  };
  return ops;
}

}  // namespace fastcnn

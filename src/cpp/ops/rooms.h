// The ops of every room, declared once for the registry and for passes that add nodes of a given op.
// One line a room, in the rooms' alphabetical order.
#pragma once

namespace fastcnn {

struct Op;

// activation
// batch_norm
// binary
// boxes
extern const Op concat_op;  // concat
// conv2d
// conv2d_transpose
// dense
extern const Op depthwise_conv2d_op;  // depthwise_conv2d
// distance
// gram
// norm
extern const Op pad_op;  // pad
extern const Op max_pool2d_op, avg_pool2d_op, adaptive_avg_pool2d_op;  // pool2d
// reduce
extern const Op reshape_op, broadcast_to_op;  // reshape
extern const Op resize_op;  // resize
extern const Op slice_op;  // slice
// softmax
extern const Op space_to_depth_op, depth_to_space_op;  // space_depth
extern const Op transpose_op;  // transpose

}  // namespace fastcnn

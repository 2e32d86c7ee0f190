// The ops of every room, declared once for the registry and for passes that add nodes of a given op.
// One line a room, in the rooms' alphabetical order.
#pragma once

namespace fastcnn {

struct Op;

// activation
// batch_norm
// binary
extern const Op box_iou_op, nms_op, soft_nms_op;  // boxes
// concat
// conv2d
// conv2d_transpose
// dense
// depthwise_conv2d
// distance
// gram
// norm
// pad
extern const Op max_pool2d_op, avg_pool2d_op, adaptive_avg_pool2d_op;  // pool2d
// reduce
// reshape
// resize
// slice
// softmax
// space_depth
// transpose

}  // namespace fastcnn

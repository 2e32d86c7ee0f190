// The CUDA rows of every room: a room `pad` gives pad_rows(). The one list of them, in alphabetical order.
#pragma once

#include "ops/device_rows.h"

#define FC_CUDA_ROOMS(ROOM)    \
  ROOM(activation)             \
  ROOM(activation_gradient)    \
  ROOM(affine_transform)       \
  ROOM(batch_norm)             \
  ROOM(batch_norm_gradient)    \
  ROOM(batch_norm_training)    \
  ROOM(binary)                 \
  ROOM(boxes)                  \
  ROOM(concat)                 \
  ROOM(conv2d)                 \
  ROOM(conv2d_adjoint_kernel)  \
  ROOM(conv2d_transpose)       \
  ROOM(conv2d_weight_gradient) \
  ROOM(convert)                \
  ROOM(cross_entropy)          \
  ROOM(dense)                  \
  ROOM(depthwise_conv2d)       \
  ROOM(depthwise_gradients)    \
  ROOM(distance)               \
  ROOM(gather)                 \
  ROOM(gram)                   \
  ROOM(integers)               \
  ROOM(max_unpool2d)           \
  ROOM(norm)                   \
  ROOM(optimizer)              \
  ROOM(pad)                    \
  ROOM(pool2d)                 \
  ROOM(pool2d_gradient)        \
  ROOM(quantize)               \
  ROOM(random)                 \
  ROOM(reduce)                 \
  ROOM(resample)               \
  ROOM(reshape)                \
  ROOM(resize)                 \
  ROOM(roi_align)              \
  ROOM(slice)                  \
  ROOM(softmax)                \
  ROOM(space_depth)            \
  ROOM(top_k)                  \
  ROOM(transpose)              \
  ROOM(where)

namespace fastcnn::cuda {

#define FC_DECLARE_ROWS(room) std::span<const OpRows> room##_rows();
FC_CUDA_ROOMS(FC_DECLARE_ROWS)
#undef FC_DECLARE_ROWS

}  // namespace fastcnn::cuda

// Reading a sliding window (core/window.h) from attributes.
#pragma once

#include "core/window.h"

namespace fastcnn {

class AttrReader;
struct Shape;

// Reads strides, dilation and padding: "valid", "same" (TensorFlow's and Keras' meaning: the output has
// ceil(n / stride) pixels and the odd pixel of padding goes after), or explicit pixels
// (top, bottom, left, right). `input` is NHWC.
Window2d parse_window(AttrReader& attrs, const Shape& input, std::int64_t size_h, std::int64_t size_w,
                      std::int64_t default_stride_h, std::int64_t default_stride_w);

// Output pixels along one axis; throws Error(Shape) when the window is larger than the padded input.
std::int64_t window_output(const char* op, const char* axis_name, const WindowAxis& axis, std::int64_t input);

// Padding that makes a convolution of stride 1 with the turned kernel spread `outputs` pixels, which the window made of
// `inputs`, over these: how gradients reach a picture. Negative where some pixels must be left out.
WindowAxis adjoint_axis(const WindowAxis& axis, std::int64_t inputs, std::int64_t outputs);

}  // namespace fastcnn

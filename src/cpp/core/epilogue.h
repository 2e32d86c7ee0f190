// What a product kernel may do to its result before storing it: y = act(y + bias + residual).
#pragma once

#include "core/tensor.h"

namespace fastcnn {

enum class Activation : std::int32_t {
  Linear,
  Relu,
  Relu6,
  LeakyRelu,
  Elu,
  Sigmoid,
  HardSigmoid,
  Tanh,
  Silu,
  HardSwish
};

// Whether it is a matter of bounds.
inline bool bounds_suffice(Activation a) {
  return a == Activation::Linear || a == Activation::Relu || a == Activation::Relu6;
}

// `result` is the dtype that the result is stored in: float32, or bfloat16 where a pass says so.
// `bias` and `residual` say that the node has these operands, in this order, after its own.
struct Epilogue {
  Activation activation = Activation::Linear;
  float alpha = 0.0f;  // slope of leaky_relu, scale of elu
  std::int32_t bias = 0;
  std::int32_t residual = 0;
  DType result = DType::F32;
};

}  // namespace fastcnn

// The activations of an Epilogue for one number; corner cases are those of ops/activation/activation.h: NaN stays NaN,
// -inf gives NaN with silu and hard_swish, small results are rounded, not flushed.
#pragma once

#include "core/cuda.h"
#include "core/epilogue.h"

namespace fastcnn::cuda {

// fminf and fmaxf would lose a NaN.
__device__ __forceinline__ float clamp(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

// e^-x overflows where 1 / (1 + e^-x) is still a denormal number: e^-|x| does not.
__device__ __forceinline__ float sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

__device__ __forceinline__ float hard_sigmoid(float x) { return clamp(x + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f); }

// `kind` is the same for a whole launch: the branch costs little where it is not repeated for every register.
__device__ __forceinline__ float activate(Activation kind, float x, float alpha) {
  switch (kind) {
    case Activation::Linear: return x;
    case Activation::Relu: return x < 0.0f ? 0.0f : x;
    case Activation::Relu6: return clamp(x, 0.0f, 6.0f);
    case Activation::LeakyRelu: return x < 0.0f ? alpha * x : x;
    case Activation::Elu: return x < 0.0f ? alpha * expm1f(x) : x;
    case Activation::Sigmoid: return sigmoid(x);
    case Activation::HardSigmoid: return hard_sigmoid(x);
    case Activation::Tanh: return tanhf(x);
    case Activation::Silu: return x * sigmoid(x);
    case Activation::HardSwish: return x * hard_sigmoid(x);
  }
  return x;
}

}  // namespace fastcnn::cuda

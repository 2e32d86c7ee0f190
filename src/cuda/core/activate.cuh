// The activation of an Epilogue for one number: the CPU's formulas, with the accuracy that simd/math.inl names. Corner
// cases are those of ops/activation/activation.h.
#pragma once

#include "core/scalar.cuh"

namespace fastcnn::cuda {

// `kind` is the same for a whole launch: the branch costs little where it is not repeated for every register.
__device__ __forceinline__ float activate(Activation kind, float x, float alpha) {
  scalar::with_activation(kind, [&](auto k) { x = scalar::activate<decltype(k)::kind>(x, alpha); });
  return x;
}

}  // namespace fastcnn::cuda

// What lrn divides by.
#pragma once

#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

// v^-beta
template <bool three_quarters>
FC_INLINE F32 negative_power(F32 v, F32 beta) {
  if (three_quarters) {
    const F32 root = sqrt(v);
    return set(1.0f) / (root * sqrt(root));
  }
  return exp(-(beta * log(v)));
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

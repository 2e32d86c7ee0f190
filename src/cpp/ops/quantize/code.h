// One number's code, for reference kernels.
#pragma once

#include <cmath>

#include "core/quantization.h"

namespace fastcnn::ref {

inline std::uint8_t code_of(float x, const Quantization& q) {
  const float code = std::fma(x, 1.0f / q.scale, static_cast<float>(q.zero_point));
  if (!(code > 0.0f)) return 0;  // NaN too
  return static_cast<std::uint8_t>(std::nearbyint(std::fmin(code, 255.0f)));
}

}  // namespace fastcnn::ref

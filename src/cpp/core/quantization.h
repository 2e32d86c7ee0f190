// How codes of 8 bits stand for numbers.
#pragma once

#include "core/base.h"

namespace fastcnn {

// x = scale (q - zero_point) for codes q in [0, 255].
struct Quantization {
  float scale = 1.0f;
  std::int32_t zero_point = 0;

  FC_INLINE constexpr bool operator==(const Quantization& o) const {
    return scale == o.scale && zero_point == o.zero_point;
  }
};

}  // namespace fastcnn

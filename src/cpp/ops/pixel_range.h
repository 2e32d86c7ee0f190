// Pixels along one axis of a picture. For every file.
#pragma once

#include "core/base.h"

namespace fastcnn {

struct PixelRange {
  std::int64_t first, last;  // both included; last < first: none
};

}  // namespace fastcnn

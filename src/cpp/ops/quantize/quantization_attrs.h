// Reads how codes stand for numbers (core/quantization.h) from attributes.
#pragma once

#include <string>

#include "core/quantization.h"

namespace fastcnn {

class AttrReader;

// `<prefix>scale` (1 unless given), a positive float32, and `<prefix>zero_point` (0), in [0, 255].
Quantization parse_quantization(AttrReader& attrs, const std::string& prefix);

}  // namespace fastcnn

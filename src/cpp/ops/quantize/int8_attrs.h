// Reading, checking and finding what the products of codes share (ops/quantize/int8_product.h). For baseline files.
#pragma once

#include <span>

#include "ops/quantize/int8_product.h"

namespace fastcnn {

class AttrReader;

// Operands x and w come first, then those of Int8Epilogue. The result is uint8 where `y_scale` is given, else float32.
Int8Epilogue parse_int8_epilogue(AttrReader& attrs, std::span<const TensorType> inputs);

// Checks the operands' types and shapes against the shape of the result; gives its type.
TensorType infer_int8_product(const char* op, const Int8Epilogue& e, std::span<const TensorType> inputs,
                              const Shape& y);

namespace ref {
// Turns the exact sum of one element into a result.
void finish(const Int8Epilogue& e, const Int8Operands& operands, std::int64_t sum, std::int64_t channel,
            std::int64_t index);
}  // namespace ref

}  // namespace fastcnn

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

struct Int8Operands {
  const std::uint8_t* x;
  const float *scale, *bias;  // bias: nullptr where there is none
  const unsigned char* residual;
  unsigned char* y;
  std::int64_t residual_item, y_item;  // bytes of one element
};
Int8Operands int8_operands(const Int8Epilogue& e, const KernelArgs& args);

Int8Finish int8_finish(const Int8Epilogue& e, const KernelArgs& args);

// Of columns [first, first + count); `sums` are those of all columns of w.
void set_columns(const Int8Finish& finish, const Int8Epilogue& e, const Int8Operands& operands,
                 const std::int32_t* sums, std::int64_t first, std::int64_t count, Int8Columns& columns);

namespace ref {
// Turns the exact sum of one element into a result.
void finish(const Int8Epilogue& e, const Int8Operands& operands, std::int64_t sum, std::int64_t channel,
            std::int64_t index);
}  // namespace ref

}  // namespace fastcnn

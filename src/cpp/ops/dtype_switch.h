// One loop for every dtype: the switch stands outside of it. Not for ISA files.
#pragma once

#include "core/tensor.h"

namespace fastcnn {

// Calls body(T{}) with a number of the dtype's kind; never of bfloat16, in which plans store pictures.
template <class Body>
inline void with_dtype(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::F32: return body(float{});
    case DType::F64: return body(double{});
    case DType::I64: return body(std::int64_t{});
    case DType::I32: return body(std::int32_t{});
    case DType::U8: return body(std::uint8_t{});
    case DType::S8: return body(std::int8_t{});
    case DType::Bool: return body(bool{});
    case DType::BF16: return;
  }
}

}  // namespace fastcnn

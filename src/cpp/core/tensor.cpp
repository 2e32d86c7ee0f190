#include "core/tensor.h"

#include "core/error.h"

namespace fastcnn {

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::F32: return "float32";
    case DType::F64: return "float64";
    case DType::I64: return "int64";
    case DType::I32: return "int32";
    case DType::U8: return "uint8";
    case DType::S8: return "int8";
    case DType::Bool: return "bool";
    case DType::BF16: return "bfloat16";
  }
  return "?";
}

std::string to_string(const Shape& shape) {
  std::ostringstream out;
  out << '(';
  for (int i = 0; i < shape.rank; ++i) out << (i ? ", " : "") << shape[i];
  out << (shape.rank == 1 ? ",)" : ")");
  return out.str();
}

std::string to_string(const TensorType& type) { return dtype_name(type.dtype) + to_string(type.shape); }

}  // namespace fastcnn

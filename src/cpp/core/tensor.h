// Tensor: a view - pointer, dtype, shape; contiguous. Images are NHWC, convolution kernels HWIO.
#pragma once

#include "core/base.h"

namespace fastcnn {

// BF16, the upper half of a float, is for storage between the nodes of a plan; arrays of users have none.
enum class DType : std::uint8_t { F32, F64, I64, I32, U8, S8, Bool, BF16 };

FC_INLINE constexpr std::int64_t item_size(DType dtype) {
  switch (dtype) {
    case DType::F32:
    case DType::I32: return 4;
    case DType::F64:
    case DType::I64: return 8;
    case DType::BF16: return 2;
    case DType::U8:
    case DType::S8:
    case DType::Bool: return 1;
  }
  return 0;
}

const char* dtype_name(DType dtype);  // "float32", NumPy's names

inline constexpr int kMaxRank = 8;

// Fixed capacity and trivially copyable, so that op parameters may hold one and ISA files may read one.
struct Shape {
  std::int64_t dims[kMaxRank] = {};
  std::int32_t rank = 0;

  FC_INLINE constexpr std::int64_t operator[](int i) const { return dims[i]; }
  FC_INLINE constexpr std::int64_t& operator[](int i) { return dims[i]; }
  FC_INLINE constexpr std::int64_t back() const { return dims[rank - 1]; }
  FC_INLINE constexpr void push_back(std::int64_t d) { dims[rank++] = d; }
  // Product of dims[first .. last); the empty product is 1.
  FC_INLINE constexpr std::int64_t product(int first, int last) const {
    std::int64_t p = 1;
    for (int i = first; i < last; ++i) p *= dims[i];
    return p;
  }
  FC_INLINE constexpr std::int64_t size() const { return product(0, rank); }
  FC_INLINE constexpr bool operator==(const Shape& o) const {
    if (rank != o.rank) return false;
    for (int i = 0; i < rank; ++i)
      if (dims[i] != o.dims[i]) return false;
    return true;
  }
};

struct TensorType {
  DType dtype = DType::F32;
  Shape shape;
  FC_INLINE constexpr std::int64_t bytes() const { return shape.size() * item_size(dtype); }
  FC_INLINE constexpr bool operator==(const TensorType& o) const { return dtype == o.dtype && shape == o.shape; }
};

struct Tensor {
  void* data = nullptr;
  TensorType type;
  // The exception, for kernels that say they take it: a picture that is some of the channels of a larger one has this
  // many elements from a pixel to the next. 0: as many as it has channels.
  std::int64_t pitch = 0;
  FC_INLINE std::int64_t pixel_pitch() const { return pitch != 0 ? pitch : type.shape.back(); }
  template <class T>
  FC_INLINE T* as() const {
    return static_cast<T*>(data);
  }
  FC_INLINE const Shape& shape() const { return type.shape; }
};

}  // namespace fastcnn

// What a kernel is given. Plain data: ISA files include this and the contract of their op, nothing else.
#pragma once

#include <type_traits>

#include "core/tensor.h"
#include "core/thread_pool.h"

namespace fastcnn {

// The parameters of an op, held by value: any trivially copyable struct of at most kMaxBytes. Padding bytes
// are zero, so two Params are equal when their bytes are.
class Params {
 public:
  static constexpr std::size_t kMaxBytes = 320;

  Params() = default;
  template <class T>
  explicit Params(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxBytes && alignof(T) <= 8);
    T copy = value;
#if defined(__GNUC__) && !defined(__clang__)
    __builtin_clear_padding(&copy);
#endif
    __builtin_memcpy(bytes_, &copy, sizeof(T));
  }
  template <class T>
  FC_INLINE const T& as() const {
    return *reinterpret_cast<const T*>(bytes_);
  }
  template <class T>
  T& edit() {
    return *reinterpret_cast<T*>(bytes_);
  }
  const unsigned char* bytes() const { return bytes_; }

 private:
  alignas(8) unsigned char bytes_[kMaxBytes] = {};
};

// One op on operands of known types.
struct Problem {
  Params params;
  const TensorType* inputs = nullptr;
  const TensorType* outputs = nullptr;
  int num_inputs = 0;
  int num_outputs = 0;

  template <class T>
  FC_INLINE const T& as() const {
    return params.as<T>();
  }
};

struct KernelArgs {
  const Problem& problem;
  const Tensor* in;
  const Tensor* out;
  void* workspace;         // kAlignment-aligned, as many bytes as the row's workspace() asked for
  void* stream = nullptr;  // of a device, where rows of its kernels are launched
};

}  // namespace fastcnn

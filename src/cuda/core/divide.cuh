// Division by a number that a launch knows, as a multiplication: a division of 64 bits is a subroutine on the device.
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda {

__device__ __forceinline__ std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
#endif
}

// With l = ceil(log2 d) and m = ceil(2^(N - 1 + l) / d), n / d = (n m >> N) >> (l - 1) for 0 <= n < 2^(N - 1), here of
// N = 64 and of N = 32 bits (Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994).
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(std::int64_t d) : divisor_(d) {
    if (d <= 1) return;
    int l = 1;
    while (l < 63 && std::int64_t{1} << l < d) ++l;
    shift_ = l - 1;
    const auto power = static_cast<unsigned __int128>(1), by = static_cast<unsigned __int128>(d);
    large_ = static_cast<std::uint64_t>(((power << (63 + l)) + by - 1) / by);
    if (l < 32) small_ = static_cast<std::uint32_t>(((power << (31 + l)) + by - 1) / by);
  }

  // n / d
  __device__ __forceinline__ std::int64_t divide(std::int64_t n) const {
    return large_ == 0 ? n : static_cast<std::int64_t>(multiply_high(static_cast<std::uint64_t>(n), large_) >> shift_);
  }
  // The same, and what is left in *rest.
  __device__ __forceinline__ std::int64_t divide(std::int64_t n, std::int64_t* rest) const {
    const std::int64_t quotient = divide(n);
    *rest = n - quotient * divisor_;
    return quotient;
  }
  // The same in a third of the instructions, where d < 2^31.
  __device__ __forceinline__ int divide(int n, int* rest) const {
    const std::uint64_t product = static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * small_;
    const int quotient = small_ == 0 ? n : static_cast<int>(static_cast<std::uint32_t>(product >> 32) >> shift_);
    *rest = n - quotient * static_cast<int>(divisor_);
    return quotient;
  }

 private:
  std::int64_t divisor_ = 1;
  std::uint64_t large_ = 0;  // m; 0: d is 1
  std::uint32_t small_ = 0;
  int shift_ = 0;
};

}  // namespace fastcnn::cuda

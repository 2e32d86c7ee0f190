// Division by a number that a launch knows: a multiplication where the dividend has 31 bits.
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda {

// For 0 <= n < 2^31, n / d = (n m >> 32) >> shift with m = ceil(2^(31 + l) / d), l = ceil(log2 d), shift = l - 1
// (Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994); longer numbers are divided.
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(std::int64_t d) : divisor_(d) {
    if (d <= 1 || d >= std::int64_t{1} << 31) return;
    int l = 1;
    while (std::int64_t{1} << l < d) ++l;
    shift_ = l - 1;
    multiplier_ = static_cast<std::uint32_t>(((std::uint64_t{1} << (31 + l)) + d - 1) / static_cast<std::uint64_t>(d));
  }

  __device__ __forceinline__ std::int64_t divide(std::int64_t n) const {
    if (multiplier_ != 0 && n >> 31 == 0) {
      const std::uint64_t product = static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * multiplier_;
      return static_cast<std::int64_t>(static_cast<std::uint32_t>(product >> 32) >> shift_);
    }
    return divisor_ == 1 ? n : n / divisor_;
  }
  // n / d, and what is left in *rest.
  __device__ __forceinline__ std::int64_t divide(std::int64_t n, std::int64_t* rest) const {
    const std::int64_t quotient = divide(n);
    *rest = n - quotient * divisor_;
    return quotient;
  }

 private:
  std::int64_t divisor_ = 1;
  std::uint32_t multiplier_ = 0;  // 0: the dividend is divided
  int shift_ = 0;
};

}  // namespace fastcnn::cuda

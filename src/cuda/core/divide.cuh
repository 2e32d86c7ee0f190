// Division by a number that the host knows, for indices that are taken apart axis by axis: a multiplication and a shift
// where the dividend is below 2^31, and the device's 64-bit division beyond.
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda {

class Divider {
 public:
  Divider() = default;
  // `divisor` >= 1. With s = ceil(log2 divisor), floor(n / divisor) is (floor(n magic / 2^32) + n) >> s, where
  // magic = floor(2^32 (2^s - divisor) / divisor) + 1 (Granlund & Montgomery, 1994); the sum stays below 2^32.
  explicit Divider(std::int64_t divisor) : divisor_(divisor) {
    const auto d = static_cast<std::uint64_t>(divisor);
    if (d >= kSmall) return;  // magic 0, shift 31: no dividend below 2^31 contains it
    shift_ = 0;
    while ((std::uint64_t{1} << shift_) < d) ++shift_;
    magic_ = static_cast<std::uint32_t>((((std::uint64_t{1} << shift_) - d) << 32) / d + 1);
  }

  __host__ __device__ std::int64_t divisor() const { return divisor_; }

  // n >= 0
  __device__ __forceinline__ std::int64_t quotient(std::int64_t n) const {
    if (static_cast<std::uint64_t>(n) >= kSmall) return n / divisor_;
    const auto small = static_cast<std::uint32_t>(n);
    const auto high = static_cast<std::uint32_t>((static_cast<std::uint64_t>(small) * magic_) >> 32);
    return (high + small) >> shift_;
  }

  // Leaves the quotient in n; gives the remainder.
  __device__ __forceinline__ std::int64_t split(std::int64_t& n) const {
    const std::int64_t q = quotient(n), remainder = n - q * divisor_;
    n = q;
    return remainder;
  }

 private:
  static constexpr std::uint64_t kSmall = std::uint64_t{1} << 31;
  std::int64_t divisor_ = 1;
  std::uint32_t magic_ = 0, shift_ = 31;
};

}  // namespace fastcnn::cuda

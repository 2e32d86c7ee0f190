// What every file of the project may include, ISA files among them: no inline function here may be
// emitted out of line, because the linker could keep a copy that was compiled with AVX-512 for everyone.
#pragma once

#include <cstddef>
#include <cstdint>

// Device code reads the same contracts as the CPU's.
#if defined(__CUDACC__)
#define FC_INLINE inline __host__ __device__ __attribute__((always_inline))
#define FC_UNROLL _Pragma("unroll")  // before a loop of at most 8 steps
#else
#define FC_INLINE inline __attribute__((always_inline))
#define FC_UNROLL _Pragma("GCC unroll 8")
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define FC_X86 1
#else
#define FC_X86 0
#endif

namespace fastcnn {

// a / b, bit by bit.
FC_INLINE constexpr std::uint64_t long_division(std::uint64_t a, std::uint64_t b) {
  std::uint64_t quotient = 0, rest = 0;
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
  for (int bit = 63; bit >= 0; --bit) {
    rest = rest << 1 | (a >> bit & 1);
    quotient = quotient << 1 | (rest >= b);
    if (rest >= b) rest -= b;
  }
  return quotient;
}
static_assert(long_division(std::uint64_t{1} << 62, 3) == (std::uint64_t{1} << 62) / 3 && long_division(6, 7) == 0);

// a / b for b > 0. A device divides 64 bits in a function that it calls, around which registers are spilled to memory;
// nearly all numbers have 32, and a loop in place does for the others.
FC_INLINE constexpr std::int64_t divide(std::int64_t a, std::int64_t b) {
#if defined(__CUDA_ARCH__)
  const std::uint64_t n = static_cast<std::uint64_t>(a < 0 ? -a : a), d = static_cast<std::uint64_t>(b);
  const std::uint64_t quotient =
      ((n | d) >> 32) == 0 ? static_cast<std::uint32_t>(n) / static_cast<std::uint32_t>(d) : long_division(n, d);
  return a < 0 ? -static_cast<std::int64_t>(quotient) : static_cast<std::int64_t>(quotient);
#else
  return a / b;
#endif
}

FC_INLINE constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return divide(a + b - 1, b); }
FC_INLINE constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }
FC_INLINE constexpr std::int64_t min_i64(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
FC_INLINE constexpr std::int64_t max_i64(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// A product rounded for itself: nvcc does not fuse it with a sum that it is a term of.
FC_INLINE float times(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

}  // namespace fastcnn

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

FC_INLINE constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
FC_INLINE constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }
FC_INLINE constexpr std::int64_t min_i64(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
FC_INLINE constexpr std::int64_t max_i64(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

}  // namespace fastcnn

// The instructions that CUDA C++ has no function for. Compiled for the CPU, each does the same through the emulator:
// what was copied asynchronously arrives when it is waited for, and products are computed by the warp together.
#pragma once

#include "core/bf16.h"
#include "core/cuda.h"

namespace fastcnn::cuda {

// cp.async: 4, 8 or 16 bytes from global to shared memory, both aligned to that; of which the first `valid` are read
// and the others become 0. They are there after copy_async_wait and a barrier. Below sm_80 an ordinary copy.
template <int bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, int valid = bytes) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#if !defined(__CUDACC__)
  emulator::copy_async(shared, global, bytes, valid);
#elif __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(bytes), "r"(valid)
                 : "memory");
#else
  for (int i = 0; i < bytes / 4; ++i)
    static_cast<float*>(shared)[i] = 4 * i < valid ? static_cast<const float*>(global)[i] : 0.0f;
#endif
}

// Ends a group of copies of this thread.
__device__ __forceinline__ void copy_async_commit() {
#if !defined(__CUDACC__)
  emulator::copy_async_commit();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `pending` of the last groups of this thread are under way.
template <int pending>
__device__ __forceinline__ void copy_async_wait() {
#if !defined(__CUDACC__)
  emulator::copy_async_wait(pending);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// Two floats to bfloat16, to the nearest, ties to even: `low` in the lower half of the result. A NaN stays one.
__device__ __forceinline__ std::uint32_t to_bf16_pair(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return to_bf16(low).bits | static_cast<std::uint32_t>(to_bf16(high).bits) << 16;
#endif
}

// The operands of mma_bf16 that a lane holds, in pairs of bfloat16. With g = lane / 4 and q = lane % 4:
//   a[0], a[1]   rows g and g + 8 of A (16 x 16), terms 2 q and 2 q + 1;   a[2], a[3]   the same, terms 8 further
//   b[0]         column g of B (16 x 8), terms 2 q and 2 q + 1;            b[1]         the same, terms 8 further
//   c[0], c[1]   row g of C (16 x 8), columns 2 q and 2 q + 1;             c[2], c[3]   row g + 8
struct MmaFactors {
  std::uint32_t a[4], b[2];
};
struct MmaSums {
  float c[4];
};

#if !defined(__CUDACC__)
// Products are exact, and their sum with c is cut, not rounded, as tensor cores do.
inline void mma_bf16_of_warp(const MmaFactors (&all)[32], const MmaSums (&sums)[32], MmaSums (&results)[32]) {
  const auto half = [](std::uint32_t pair, int i) {
    return static_cast<double>(to_float(Bf16{static_cast<std::uint16_t>(pair >> (16 * i))}));
  };
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      const int to = row % 8 * 4 + column / 2, index = row / 8 * 2 + column % 2;
      double sum = sums[to].c[index];
      for (int k = 0; k < 16; ++k)
        sum += half(all[row % 8 * 4 + k % 8 / 2].a[k / 8 * 2 + row / 8], k % 2) *
               half(all[column * 4 + k % 8 / 2].b[k / 8], k % 2);
      const auto rounded = static_cast<float>(sum);
      const bool away = std::fabs(static_cast<double>(rounded)) > std::fabs(sum) && std::isfinite(sum);
      results[to].c[index] = away ? std::nextafterf(rounded, 0.0f) : rounded;
    }
}
#endif

// mma.sync m16n8k16: sums += A B, by the 32 lanes of a warp together. From sm_80 on; below, and never run there,
// nothing.
__device__ __forceinline__ void mma_bf16(MmaSums& sums, const MmaFactors& factors) {
#if !defined(__CUDACC__)
  struct Mine {
    MmaFactors factors;
    MmaSums sums;
  };
  sums = emulator::warp_collective<Mine, MmaSums>({factors, sums}, [](const Mine(&all)[32], MmaSums(&results)[32]) {
    MmaFactors of[32];
    MmaSums before[32];
    for (int i = 0; i < 32; ++i) of[i] = all[i].factors, before[i] = all[i].sums;
    mma_bf16_of_warp(of, before, results);
  });
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums.c[0]), "+f"(sums.c[1]), "+f"(sums.c[2]), "+f"(sums.c[3])
      : "r"(factors.a[0]), "r"(factors.a[1]), "r"(factors.a[2]), "r"(factors.a[3]), "r"(factors.b[0]),
        "r"(factors.b[1]));
#endif
}

}  // namespace fastcnn::cuda

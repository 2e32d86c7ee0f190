// The instructions that CUDA C++ has no function for. Compiled for the CPU, each does the same through the emulator:
// what was copied asynchronously arrives when it is waited for, and products are computed by the warp together.
#pragma once

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

}  // namespace fastcnn::cuda

// Reductions over the lanes of a warp and over the threads of a block: trees whose shape depends on the number of
// threads alone, so the same operands give the same bits on every run. Every thread gets the result.
//
//   FC_SHARED(float, scratch, [kThreads / kWarp]);
//   sum = block_reduce<kThreads>(sum, Add(), scratch);
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda {

struct Add {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Multiply {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a * b;
  }
};

// A NaN wins, as contracts of extrema have it.
struct Larger {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

struct Smaller {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

// A long sum by one thread in blocks of 32 terms: its error is that of 32 additions and of one for each block.
class BlockedSum {
 public:
  __device__ __forceinline__ void add(float x) {
    block_ += x;
    if (++terms_ == kBlock) total_ += block_, block_ = 0.0f, terms_ = 0;
  }
  __device__ __forceinline__ float value() const { return total_ + block_; }

 private:
  static constexpr int kBlock = 32;
  float total_ = 0.0f, block_ = 0.0f;
  int terms_ = 0;
};

// What lane `lane ^ mask` holds. For a struct, an overload beside it that shuffles its members.
template <class T>
__device__ __forceinline__ T lane_xor(T value, int mask) {
  return __shfl_xor_sync(kAllLanes, value, mask);
}

// Over each `width` neighbouring lanes, a power of two. All 32 lanes must call it.
template <int width = kWarp, class T, class Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
  static_assert(width >= 1 && width <= kWarp && (width & (width - 1)) == 0);
#pragma unroll
  for (int mask = width / 2; mask > 0; mask /= 2) value = combine(value, lane_xor(value, mask));
  return value;
}

// Over the kThreads threads of a block of one dimension: 32 times a power of two, at most 1024. All threads must call
// it. `scratch`, kThreads / kWarp items of shared memory, may be the same one call after call.
template <int kThreads, class T, class Combine>
__device__ __forceinline__ T block_reduce(T value, Combine combine, T* scratch) {
  static_assert(kThreads % kWarp == 0 && kThreads <= 1024);
  constexpr int kWarps = kThreads / kWarp;
  value = warp_reduce(value, combine);
  if constexpr (kWarps > 1) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    __syncthreads();  // the last call's results have been read
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = warp_reduce<kWarps>(scratch[lane % kWarps], combine);
  }
  return value;
}

// Over each `lanes` neighbouring threads, part of a warp or the kThreads of the block.
template <int lanes, class T, class Combine>
__device__ __forceinline__ T group_reduce(T value, Combine combine, T* scratch) {
  if constexpr (lanes > kWarp)
    return block_reduce<lanes>(value, combine, scratch);
  else
    return warp_reduce<lanes>(value, combine);
}

// Over the threads t, t + width, t + 2 width, ... of a block: `phases` of them, each giving its phase t / width;
// threads from phases * width on take no part. All threads must call it. `scratch`: one item for each thread.
template <class T, class Combine>
__device__ __forceinline__ T column_reduce(T value, Combine combine, T* scratch, int width, int phases) {
  const int thread = static_cast<int>(threadIdx.x), phase = thread / width;
  __syncthreads();  // the last call's results have been read
  scratch[thread] = value;
  for (int left = phases; left > 1;) {
    const int half = (left + 1) / 2;
    __syncthreads();
    if (phase + half < left) scratch[thread] = combine(scratch[thread], scratch[thread + half * width]);
    left = half;
  }
  __syncthreads();
  return scratch[thread % width];
}

}  // namespace fastcnn::cuda

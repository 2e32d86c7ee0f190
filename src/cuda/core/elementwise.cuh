// Element-wise kernels: a thread computes groups of four neighbouring results, read and written as vectors where the
// group is whole and every pointer is aligned to 16 bytes, else one by one. What is computed is a body, a structure of
// pointers and parameters that the kernel is given by value:
//
//   struct Body {
//     __device__ void operator()(const Group& g) const;  // loads, some function of Four::at[0 .. 3], stores
//   };
//   run_groups("row's name", args, n, Body{...}, {pointers});
//
// A group is read before it is written, and by one thread alone, so a result may lie over an operand of its size.
#pragma once

#include <initializer_list>

#include "core/divide.cuh"
#include "core/launch.h"
#include "ops/binary/binary.h"

namespace fastcnn::cuda {

inline constexpr int kGroup = 4, kGroupThreads = 256;

template <class T>
struct alignas(sizeof(T) * kGroup < 16 ? sizeof(T) * kGroup : 16) Four {
  T at[kGroup];
};

struct Group {
  std::int64_t first;  // element
  int count;           // 1 .. 4
  bool whole;          // four elements, and pointers are aligned
};

// Elements that are not there are T().
template <class T>
__device__ __forceinline__ Four<T> load(const T* p, const Group& g) {
  if (g.whole) return *reinterpret_cast<const Four<T>*>(p + g.first);
  Four<T> v;
#pragma unroll
  for (int k = 0; k < kGroup; ++k) v.at[k] = k < g.count ? p[g.first + k] : T();
  return v;
}

template <class T>
__device__ __forceinline__ void store(T* p, const Group& g, const Four<T>& v) {
  if (g.whole) {
    *reinterpret_cast<Four<T>*>(p + g.first) = v;
    return;
  }
#pragma unroll
  for (int k = 0; k < kGroup; ++k)
    if (k < g.count) p[g.first + k] = v.at[k];
}

// at[0] is replaced, as the last: so a loop over a group need not be unrolled, for functions too long to be there four
// times, and yet indexes no registers.
template <class T>
__device__ __forceinline__ void rotate(Four<T>& v, T last) {
  v.at[0] = v.at[1], v.at[1] = v.at[2], v.at[2] = v.at[3], v.at[3] = last;
}

// Computes   body(g) for every group of [0, n).
// Layout     contiguous elements.
// Threads    256, one group of four elements each, then the next a grid further; no shared memory. Registers: those of
//            the body, at most 64, so that four blocks share a multiprocessor.
// Why        one 16-byte load for each operand keeps enough bytes under way; a grid of a few waves spares the launch of
//            millions of blocks.
// Bound      memory.
// Needs      nothing: groups that are not whole or not aligned go element by element.
template <class Body>
__global__ void __launch_bounds__(kGroupThreads) each_group(const Body body, std::int64_t n, bool aligned) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * (kGroupThreads * kGroup);
  std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * kGroupThreads + threadIdx.x) * kGroup;
  for (; first < n; first += stride) {
    const int count = static_cast<int>(min_i64(kGroup, n - first));
    body(Group{first, count, aligned && count == kGroup});
  }
}

inline bool aligned_to_16(std::initializer_list<const void*> pointers) {
  for (const void* p : pointers)
    if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) return false;
  return true;
}

// Launches each_group for n elements. `aligned`: whether all pointers are that the body loads from or stores to.
template <class Body>
void run_groups(const char* name, const KernelArgs& args, std::int64_t n, const Body& body, bool aligned) {
  if (n == 0) return;
  constexpr std::int64_t kWaves = 4, kBlocks = 8;  // of a multiprocessor at once
  const std::int64_t most = kWaves * kBlocks * capability().multiprocessors;
  const std::int64_t blocks = min_i64(ceil_div(n, kGroupThreads * kGroup), most);
  launch(name, each_group<Body>, {static_cast<unsigned>(blocks), kGroupThreads}, args, body, n, aligned);
}

template <class Body>
void run_groups(const char* name, const KernelArgs& args, std::int64_t n, const Body& body,
                std::initializer_list<const void*> pointers) {
  run_groups(name, args, n, body, aligned_to_16(pointers));
}

// ---- broadcasting ---------------------------------------------------------------------------

// Where the elements of a group lie in operands that broadcast. `run`: in each operand as four neighbours from at[k][0]
// on, or as one that repeats.
template <int operands>
struct Positions {
  std::int64_t at[operands][kGroup];
  bool run;
};

// A BroadcastNest for the device: results are counted, their coordinates found by division.
template <int operands>
class Walk {
 public:
  Walk(const Shape* const (&shapes)[operands], const Shape& y) : nest_(broadcast_nest(shapes, y)) {
    for (int axis = 0; axis < nest_.rank; ++axis) size_[axis] = Divisor(nest_.size[axis]);
    runs_ = nest_.rank == 1 || nest_.size[0] % kGroup == 0;
  }

  // The innermost axis is walked by steps of 1 or of 0.
  __device__ __forceinline__ bool repeats(int operand) const { return nest_.step[operand][0] == 0; }

  __device__ __forceinline__ Positions<operands> places(const Group& g) const {
    Positions<operands> places;
    places.run = g.whole && runs_;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      if (i > 0 && (places.run || i >= g.count)) break;
#pragma unroll
      for (int k = 0; k < operands; ++k) places.at[k][i] = 0;
      std::int64_t rest = g.first + i;
      for (int axis = 0; axis < nest_.rank; ++axis) {
        std::int64_t coordinate = rest;
        if (axis + 1 < nest_.rank) rest = size_[axis].divide(rest, &coordinate);
#pragma unroll
        for (int k = 0; k < operands; ++k) places.at[k][i] += coordinate * nest_.step[k][axis];
      }
    }
    return places;
  }

 private:
  BroadcastNest<operands> nest_;
  Divisor size_[kMaxRank];
  bool runs_;
};

// Operand k of the group.
template <int k, class T, int operands>
__device__ __forceinline__ Four<T> load(const T* p, const Group& g, const Walk<operands>& walk,
                                        const Positions<operands>& places) {
  Four<T> v;
  if (places.run) {
    if (!walk.repeats(k)) return *reinterpret_cast<const Four<T>*>(p + places.at[k][0]);
    const T one = p[places.at[k][0]];
#pragma unroll
    for (int i = 0; i < kGroup; ++i) v.at[i] = one;
    return v;
  }
#pragma unroll
  for (int i = 0; i < kGroup; ++i) v.at[i] = i < g.count ? p[places.at[k][i]] : T();
  return v;
}

}  // namespace fastcnn::cuda

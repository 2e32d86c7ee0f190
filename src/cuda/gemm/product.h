// The matrix-product engine of the device: C[b] = A[b] B[b], rows x depth by depth x columns, for each of a batch.
//
// What is multiplied need not lie anywhere as a matrix. A kernel of the engine is a template over three functors, plain
// structs that are passed by value:
//
//   A, B       say where an element lies. Both are seen alike: a *line* is a row of A or a column of B, a *term* one of
//              the `depth` products that are summed up. Their members:
//
//     using Line, Term                     what is computed once for a line, and for a term: some numbers in registers
//     static constexpr Lie kLie            which neighbours are one vector of four floats (below)
//     Line line(int64 batch, int64 index) const       0 <= index < lines
//     Term term(int64 index) const                    0 <= index < depth
//     bool find(const Line&, const Term&, const float** at) const      sets *at; false: the element is 0 and *at is
//                                                     anything
//     const float* data                    any address that may be read
//
//   Finish     stores an element of C, or four neighbours in a row:
//
//     static constexpr bool kWide                     it takes four columns that begin at a multiple of four
//     void store<count>(int64 batch, int64 row, int64 column, float (&sum)[count]) const     count is 1 or 4
//
// Lie::Terms: the four terms from a multiple of four on lie together, aligned to 16 bytes, and are all inside or all
// outside (the same is promised of their number: depth % 4 == 0). Lie::Lines: so do four lines (lines % 4 == 0).
// Lie::Apart: nothing is known; each float is read alone. An operand that could be read in vectors has two functors,
// or one with kLie as a template parameter; a room chooses when it launches: operand.cuh has matrices of any strides
// and pictures seen through a window, and Turned<F>, which makes terms of lines and lines of terms.
//
// Lines beyond the last are never asked for: the engine reads the last one in their place and stores nothing. Terms
// beyond the last count as 0 in A and in B.
//
// Kernels (all take the same functors):
//   ffma.cuh     fused multiply-adds in float32: each element one chain of them, terms upwards from 0
//   mma.cuh      tensor cores: factors in 3, 2 or 1 parts of bfloat16 (docs/precision.md)
//   direct.cuh   a thread for each element of C, where tiles would be nearly empty
//   thin.cuh     a few rows: B is read once
//   split.cuh    the sum in parts, a block each, added up in order by a second kernel: for few tiles and long sums
// launch_*() in these files are host code that chooses a tile by the sizes and launches. Results depend on the sizes
// alone, not on the device or the run.
#pragma once

#include "core/cuda.h"

namespace fastcnn::cuda::gemm {

enum class Lie { Terms, Lines, Apart };

struct Sizes {
  std::int64_t batch = 1, rows = 0, columns = 0, depth = 0;
};

// A long sum cut into parts of `terms` terms (a multiple of every tile's depth), each of which goes to `sums`, a
// (count x batch x rows x columns) array; count 1: all at once, and no array.
struct Parts {
  std::int64_t count = 1, terms = 0;
  float* sums = nullptr;
};

// Four floats, or one, as one access.
template <int count>
__device__ __forceinline__ void load(const float* from, float (&to)[count]) {
  if constexpr (count == 4) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else if constexpr (count == 2) {
    const float2 v = *reinterpret_cast<const float2*>(from);
    to[0] = v.x, to[1] = v.y;
  } else {
    to[0] = *from;
  }
}
template <int count>
__device__ __forceinline__ void store(float* to, const float (&from)[count]) {
  if constexpr (count == 4)
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
  else
    *to = from[0];
}

}  // namespace fastcnn::cuda::gemm

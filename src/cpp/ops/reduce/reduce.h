// reduce: the contract of sums, means, products, extrema and argmax over any set of axes.
//
// Corner cases, the same for every kernel:
//   - sums run in an order that depends on the shape alone - blocks of 32 terms a lane, 32 blocks a chunk, the chunks
//     added in double (fold.inl) - so any number of threads gives the same bits and the error does not grow with the
//     count beyond that of 64 additions;
//   - over nothing, a sum is 0, a product 1 and a mean NaN; max, min and argmax of nothing are errors;
//   - a NaN among the operands makes the maximum and minimum NaN, and argmax finds the first NaN;
//   - argmax gives the lowest index among equals; over several axes the index counts through them in row-major order.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct ReduceParams {
  std::int32_t axes = 0;  // bit i: axis i is reduced
  std::int32_t keepdims = 0;
};

// The operand as alternating kept and reduced axes, 0 the innermost: axes of size 1 are gone, neighbours of one kind
// are one axis.
struct ReduceNest {
  std::int32_t rank = 0;
  std::int64_t size[kMaxRank], step[kMaxRank];
  bool reduced[kMaxRank];
};

FC_INLINE ReduceNest reduce_nest(const ReduceParams& p, const Shape& x) {
  ReduceNest nest;
  std::int64_t step = 1;
  for (int i = x.rank - 1; i >= 0; --i) {
    const bool reduced = (p.axes >> i) & 1;
    if (x[i] != 1) {
      if (nest.rank > 0 && nest.reduced[nest.rank - 1] == reduced) {
        nest.size[nest.rank - 1] *= x[i];
      } else {
        nest.size[nest.rank] = x[i];
        nest.step[nest.rank] = step;
        nest.reduced[nest.rank] = reduced;
        ++nest.rank;
      }
    }
    step *= x[i];
  }
  return nest;
}

// The loops of a reduction: for each kept cell, the reduced elements. When the innermost axis is reduced, elements are
// runs of `inner` neighbours; otherwise each cell is `inner` neighbouring results, and elements are rows of them.
struct ReduceLoops {
  std::int64_t inner = 1, cells = 1, count = 1;  // kept and reduced positions of the outer axes
  bool runs = true;
};

FC_INLINE ReduceLoops reduce_loops(const ReduceNest& nest) {
  ReduceLoops loops;
  for (int i = 0; i < nest.rank; ++i) {
    if (i == 0) {
      loops.runs = nest.reduced[0];
      loops.inner = nest.size[0];
    } else {
      (nest.reduced[i] ? loops.count : loops.cells) *= nest.size[i];
    }
  }
  return loops;
}

// A long reduction is cut into chunks, whose results lie in the workspace and are then joined.
struct ReduceChunks {
  std::int64_t pieces = 1;     // of a run, each kReduceRun elements long
  std::int64_t per_chunk = 1;  // pieces or rows of one chunk
  std::int64_t chunks = 1;
};
inline constexpr std::int64_t kReduceRun = 32768, kReduceRows = 1024;

FC_INLINE ReduceChunks reduce_chunks(const ReduceLoops& loops) {
  ReduceChunks c;
  if (loops.runs) {
    c.pieces = max_i64(1, ceil_div(loops.inner, kReduceRun));
    c.per_chunk = max_i64(1, kReduceRun / max_i64(1, min_i64(loops.inner, kReduceRun)));
  } else {
    c.per_chunk = kReduceRows;
  }
  c.chunks = max_i64(1, ceil_div(loops.count * c.pieces, c.per_chunk));
  return c;
}

#define FC_REDUCE_KERNELS                   \
  void reduce_sum(const KernelArgs& args);  \
  void reduce_mean(const KernelArgs& args); \
  void reduce_max(const KernelArgs& args);  \
  void reduce_min(const KernelArgs& args);  \
  void reduce_prod(const KernelArgs& args); \
  void argmax(const KernelArgs& args);

namespace ref {
FC_REDUCE_KERNELS
}
#if FC_X86
namespace avx2 {
FC_REDUCE_KERNELS
}
namespace avx512 {
FC_REDUCE_KERNELS
}
#endif
#undef FC_REDUCE_KERNELS

}  // namespace fastcnn

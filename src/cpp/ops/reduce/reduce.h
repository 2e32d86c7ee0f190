// reduce: the contract of sums, means, products, extrema and argmax over any set of axes.
//
// Corner cases, the same for every kernel:
//   - sums and products run in an order that depends on the shape alone: rows are cut into blocks and their partial
//     results added pairwise, so the error grows with the logarithm of the count and any number of threads gives
//     the same bits;
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

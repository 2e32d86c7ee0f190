// gram: the contract of the Gram matrix of a picture's channels.
//
//   gram_matrix   y[n,i,j] = scale * sum_p x[n,p,i] x[n,p,j]     p runs over all axes of x but the first and the last
//
// Corner cases, the same for every kernel:
//   - y is symmetric to the bit;
//   - no pixels give zeros;
//   - the sum is scaled when it is complete, in float32, before it is stored.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct GramParams {
  float scale = 1;
};

// How the vector kernels cut a sum. Pixels come in blocks that are packed first: panels of kGramPanel channels, padded
// with zeros. Block b belongs to slice b % slices; each slice sums into its own (padded x padded) matrix, and those are
// added in order. Few channels: a slice is one task, and packs its blocks for itself. Many: a group of blocks is packed
// together, and a task is a band of the matrix.
inline constexpr std::int64_t kGramPanel = 64;   // channels
inline constexpr std::int64_t kGramBlock = 128;  // pixels: a panel of a block and its band stay in L1
inline constexpr std::int64_t kGramFew = 128;    // channels

struct GramSplit {
  std::int64_t pixels, channels, padded;
  std::int64_t slices;  // fixed by shape alone
  std::int64_t group;   // blocks packed together; 0: few channels
};

FC_INLINE GramSplit split_gram(const Shape& x) {
  GramSplit s{};
  s.pixels = x.product(1, x.rank - 1), s.channels = x.back();
  s.padded = round_up(max_i64(1, s.channels), kGramPanel);
  const std::int64_t blocks = max_i64(1, ceil_div(s.pixels, kGramBlock));
  constexpr std::int64_t kFewSlices = 32, kManySlices = 4, kGroupFloats = 384 * 1024;
  if (s.padded <= kGramFew) {
    s.slices = min_i64(blocks, kFewSlices);
  } else {
    s.slices = min_i64(blocks, s.padded < 512 ? kManySlices : 1);
    s.group = s.slices * max_i64(1, kGroupFloats / (s.slices * kGramBlock * s.padded));
  }
  return s;
}

#define FC_GRAM_KERNELS void gram_matrix(const KernelArgs& args);

namespace ref {
FC_GRAM_KERNELS
}
#if FC_X86
namespace avx2 {
FC_GRAM_KERNELS
}
namespace avx512 {
FC_GRAM_KERNELS
}
#endif
#undef FC_GRAM_KERNELS

}  // namespace fastcnn

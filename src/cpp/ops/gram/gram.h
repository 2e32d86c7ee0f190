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

// Where the parts of a sum go. The pixels are cut into `slices` by shape alone; each slice sums into its own
// (padded x padded) matrix, and the matrices are added in order. Within a slice, pixels come in blocks that are first
// packed: panels of kGramPanel channels, padded with zeros.
inline constexpr std::int64_t kGramPanel = 64;   // channels
inline constexpr std::int64_t kGramBlock = 256;  // pixels summed in registers before they are added to the slice's sum

struct GramSplit {
  std::int64_t pixels, channels, padded;
  std::int64_t slices;  // the sums
  std::int64_t group;   // pixels packed at a time: a multiple of slices * kGramBlock, but for the last
};

FC_INLINE GramSplit split_gram(const Shape& x) {
  // Many channels give many tiles for threads to share; few need more slices. A group of packed pixels stays in L2.
  constexpr std::int64_t kBands = 32, kGroupFloats = 512 * 1024;
  GramSplit s{};
  s.pixels = x.product(1, x.rank - 1), s.channels = x.back(), s.padded = round_up(max_i64(1, s.channels), kGramPanel);
  const std::int64_t blocks = max_i64(1, ceil_div(s.pixels, kGramBlock));
  s.slices = min_i64(blocks, max_i64(1, kBands * 16 / s.padded));
  const std::int64_t rows = s.slices * kGramBlock;
  s.group = rows * max_i64(1, kGroupFloats / (rows * s.padded));
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

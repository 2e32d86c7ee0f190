// The contract of the kernels that lay out pixels stored in bfloat16 as tiles for AMX (split.h), pixels being the terms
// of the sum. Plain data: ISA files include this.
#pragma once

#include "core/base.h"

namespace fastcnn::gemm {

struct Bf16Pixels {
  const void* const* pixels;  // `steps` times 32, those that are left out being zeros
  std::int64_t offset;        // of the first channel, in numbers
  std::int64_t channels;
  std::int64_t steps;
  unsigned char* out;
};

#if FC_X86
namespace avx512 {
// As strips of A: of each 32 channels, step by step two tiles, whose rows are channels and hold a step's pixels. Strips
// lie `strip_bytes` apart. Any number of channels.
void turn_pixels(const Bf16Pixels& p, std::int64_t strip_bytes);
// As tiles of B: rows of 16 channels of two neighbouring pixels, pair by pair. Those of the next 16 channels lie
// `column_bytes` on; zeros follow the last. A tile may start at any pair, so that the pairs from the first pixel on and
// those from the second serve all taps.
void pair_pixels(const Bf16Pixels& p, std::int64_t column_bytes);
}  // namespace avx512
#endif

}  // namespace fastcnn::gemm

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
// As A's tiles: a row for each channel, `pitch` bytes apart, the pixels one after the other. A tile may start at any of
// them, and so serves all taps of a window's row. Any number of channels.
void turn_pixels(const Bf16Pixels& p, std::int64_t pitch);
// As B's: tiles of 16 pairs of neighbouring pixels by 16 channels, the `tiles` of a step together, zeros after the last
// channel. At most 16 tiles channels.
void pair_pixels(const Bf16Pixels& p, std::int64_t tiles);
}  // namespace avx512
#endif

}  // namespace fastcnn::gemm

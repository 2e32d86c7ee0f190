// The contract of the kernels that lay out pixels stored in bfloat16 as tiles for AMX (split.h), pixels being the terms
// of the sum. Plain data: ISA files include this.
#pragma once

#include "core/bf16.h"
#include "core/window.h"

namespace fastcnn::gemm {

struct Bf16Pixels {
  const void* const* pixels;  // `steps` times 32, those that are left out being zeros
  std::int64_t offset;        // of the first channel, in numbers
  std::int64_t channels;
  std::int64_t steps;
  unsigned char* out;
};

// Windows of pictures whose pixels follow each other: at most kMostWindowRows rows, each of at most 32 numbers;
// w.dilation is 1.
inline constexpr std::int64_t kMostWindowRows = 16;
struct Bf16WindowRows {
  const Bf16* x;
  std::int64_t height, width, channels;
  Window2d window;
  std::int64_t out_height, out_width;
};

#if FC_X86
namespace avx512 {
// The windows of outputs [first, first + count), numbered through all pictures, as pixels with as many channels as a
// window has numbers, `pitch` numbers apart, a multiple of 32; zeros where a window lies outside, and after it.
void gather_windows(const Bf16WindowRows& p, std::int64_t first, std::int64_t count, Bf16* to, std::int64_t pitch);
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

// depthwise_conv2d_int8: the contract of convolution of every channel of a picture of codes with filters of its own.
//
// As depthwise_conv2d (ops/depthwise_conv2d), with one filter a channel, of numbers x = x_scale (q - x_zero_point) and
// w = scale[c] k[.., c]; pixels outside the picture are the number zero. The sum of integers is exact; what becomes of
// it is in ops/quantize/int8_product.h. Operands: x (uint8, NHWC), w (int8, (kh, kw, C, 1)), scale (C), then bias and
// residual.
#pragma once

#include "core/window.h"
#include "ops/quantize/int8_product.h"

namespace fastcnn {

struct DepthwiseInt8Params {
  Window2d window;
  Int8Epilogue end;
};

// Weights of the kernel that multiplies four taps at once: blocks of kDepthwiseBlock channels; in each, columns of the
// window; in each, groups of four of its rows (zeros beyond the last); in each, four tiles of 16 channels x 4 taps.
// Tile t has, of each quarter of the block, channels 4 t to 4 t + 3: so interleaving bytes leaves them. The sums over
// the window (int32) of all blocks come before.
inline constexpr std::int64_t kDepthwiseBlock = 64;

struct DepthwiseInt8Packing {
  std::int64_t height, width, channels;  // of the window; of the picture

  FC_INLINE constexpr std::int64_t groups() const { return ceil_div(height, 4); }
  FC_INLINE constexpr std::int64_t blocks() const { return ceil_div(channels, kDepthwiseBlock); }
  FC_INLINE constexpr std::int64_t header_bytes() const { return blocks() * kDepthwiseBlock * 4; }
  FC_INLINE constexpr std::int64_t block_bytes() const { return width * groups() * 4 * kDepthwiseBlock; }
  FC_INLINE constexpr std::int64_t bytes() const { return header_bytes() + blocks() * block_bytes(); }
};

// Rows of a picture with their border, of which the kernel that multiplies four taps at once computes one line of
// results.
struct DepthwiseLine {
  const unsigned char* rows;                  // the window's first, each of `line_bytes` bytes
  std::int64_t line_bytes, channels, pixels;  // pixels of the result
  std::int64_t height, width, stride;         // of the window
  const unsigned char* packed;
  const Int8Columns* columns;  // of halves of blocks, in the tiles' order
  const Int8Finish* finish;
  std::uint8_t* y;
};

namespace ref {
void depthwise_conv2d_int8(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void depthwise_conv2d_int8(const KernelArgs& args);
}
namespace avx512 {
void depthwise_conv2d_int8(const KernelArgs& args);
}
namespace avx512vnni {
void depthwise_line(const DepthwiseLine& line);
}
void depthwise_conv2d_int8_lines(const KernelArgs& args);
void depthwise_conv2d_int8_pack(const KernelArgs& args);
const char* depthwise_conv2d_int8_declines(const Problem& problem);
#endif

}  // namespace fastcnn

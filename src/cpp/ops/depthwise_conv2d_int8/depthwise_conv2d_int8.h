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

// Rows of the window that the kernel that multiplies four taps at once can take.
inline constexpr std::int64_t kDepthwiseRows = 8;

// A line of results. The window is 3, 5 or 7 columns wide; of 3 it has one group of four rows, else two.
struct DepthwiseLine {
  const unsigned char* const* rows;    // kDepthwiseRows: the picture's, or any where weights are zeros
  const std::int64_t* steps;           // bytes from a row's pixel to the next
  std::int64_t columns, channels;      // of the picture
  std::int32_t zero;                   // the code of pixels beside it
  std::int64_t pixels;                 // of the result
  std::int64_t width, stride, before;  // of the window
  const unsigned char* packed;
  const Int8Columns* blocks;  // two for each block of channels, in the tiles' order
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
std::int64_t depthwise_conv2d_int8_workspace(const Problem& problem);
void depthwise_conv2d_int8_pack(const KernelArgs& args);
const char* depthwise_conv2d_int8_declines(const Problem& problem);
#endif

}  // namespace fastcnn

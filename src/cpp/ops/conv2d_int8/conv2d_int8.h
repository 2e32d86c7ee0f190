// conv2d_int8: the contract of convolution of pictures of codes with kernels of 8-bit integers.
//
// As conv2d (ops/conv2d/conv2d.h), in one group, of numbers x = x_scale (q - x_zero_point) and w = scale[o] k[.., o];
// pixels outside the picture are the number zero. The sum of integers is exact; what becomes of it is in
// ops/quantize/int8_product.h. Operands: x (uint8, NHWC), w (int8, HWIO), scale (O), then bias and residual.
// Results of kernels may differ in the last bit of a float, and so by one code where that decides a rounding.
#pragma once

#include "core/window.h"
#include "ops/quantize/int8_product.h"

namespace fastcnn {

struct Conv2dInt8Params {
  Window2d window;
  std::int64_t channels = 0;  // of x
  std::int64_t filters = 0;   // channels of y
  Int8Epilogue end;

  FC_INLINE constexpr std::int64_t depth() const { return window.h.size * window.w.size * channels; }
};

// Steps of a sum are taken by kInt8Step; what is beyond the depth has weight 0.
inline constexpr std::int64_t kInt8Step = 64;
// Tiles of rows of the matrix of windows that are multiplied at a time, and their rows at most.
inline constexpr int kInt8BlockTiles = 2, kInt8TileRows = 16;

// Windows of output pixels, to be laid out as rows of a matrix.
struct CodeWindows {
  const std::uint8_t* x;
  Window2d window;
  std::int64_t height, width, channels;  // of x
  std::int64_t out_height, out_width;
  std::uint8_t zero;  // the code of pixels outside
};

// sums (rows x kInt8Columns) = start + A panel, for `rows` rows of A from `first` on. The sum runs over `taps` runs of
// `run` elements of each row: of several, each is a multiple of Int8Engine's `terms`; after a single one elements up to
// the next multiple are readable, and their weights are 0. Rows of A up to the next multiple of its
// `rows` are readable.
struct Int8Factors {
  const void* a;
  std::int64_t pitch, tap_pitch;  // elements from row to row, and from run to run
  std::int64_t line, gap;         // after each so many rows so many elements are left out
  std::int64_t taps, run;
  std::int64_t first = 0, rows = 0;
  const void* panel = nullptr;
  const std::int32_t* start = nullptr;
  const void* next = nullptr;  // what to call in meanwhile
  std::int64_t next_bytes = 0;
};

// How an instruction set multiplies: a row of its op's table is one of these with the loops of conv2d_int8_product.cpp.
struct Int8Engine {
  int row_items;     // bytes of an element of the matrix of windows, and of packed weights
  int packed_pairs;  // neighbours of a sum that lie together in packed weights
  int terms, rows;   // multiples that it reads of a sum, and of rows
  int tile_rows;     // of a tile at most
  bool gaps;         // whether rows may lie in lines
  void (*begin)();   // before the blocks of a task, in its thread; may be nullptr, like end
  void (*end)();
  // Rows [first, first + count) of the matrix of windows, `pitch` elements apart.
  void (*copy)(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch);
  void (*multiply)(const Int8Factors& factors, std::int32_t* sums);
  void (*finish)(const Int8Block& block);
};

// Packed weights: the sum of each column (int32, whole panels), then panels of kInt8Columns columns; in each, groups of
// `packed_pairs` neighbours of the sum, column by column; tiles of 16 columns x kInt8Step lie together.
struct Int8Packing {
  int item, pairs;
  std::int64_t depth, columns;

  constexpr std::int64_t padded_depth() const { return round_up(depth, kInt8Step); }
  constexpr std::int64_t panels() const { return int8_blocks(columns); }
  constexpr std::int64_t panel_bytes() const { return padded_depth() * kInt8Columns * item; }
  constexpr std::int64_t header_bytes() const { return panels() * kInt8Columns * 4; }
  constexpr std::int64_t bytes() const { return header_bytes() + panels() * panel_bytes(); }
};

void conv2d_int8(const Int8Engine& engine, const KernelArgs& args);
std::int64_t conv2d_int8_workspace(const Problem& problem);
void conv2d_int8_pack(int item, int pairs, const KernelArgs& args);

namespace ref {
void conv2d_int8(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
extern const Int8Engine int8_engine;
}
namespace avx512 {
extern const Int8Engine int8_engine;
}
namespace avx512vnni {
extern const Int8Engine int8_engine;
}
namespace amx {
extern const Int8Engine int8_engine;
}
#endif

}  // namespace fastcnn

// Winograd's convolution F(m x m, 3 x 3): what the transforms promise. Plain data: ISA files include this.
//
//   Y = A^T [ sum over channels of (G w G^T) * (B^T x B) ] A,   * element by element
//
// x is a window of n x n pixels, n = m + 2, Y the m x m output pixels it gives; windows overlap by 2. The sum over
// channels is, for each of the n^2 positions, a matrix product of tiles by filters.
#pragma once

#include "core/epilogue.h"
#include "gemm/outer_tile.h"
#include "gemm/split.h"
#include "gemm/tile.h"

namespace fastcnn::winograd {

inline constexpr int kMaxSize = 6;  // n of F(4 x 4)
inline constexpr int kMaxPositions = kMaxSize * kMaxSize;

// v[p * stride + c] = (B^T x B)[p], one tile, or a pair
struct InputTile {
  const void* const* pixels;  // n x n, row by row, of each; those outside the picture point to zeros
  const void* const* next;    // of what comes after this, which are called in
  bool bf16;                  // how they are stored, else in float32
  std::int64_t channels;
  void* v;  // in float32, or as Transforms::bf16 and GradientTransforms::in_item say
  std::int64_t stride;
};

// y[i * row + j * pixel + f] = act((A^T m A)[i, j] + bias[f] + residual[i * row + j * pixel + f]), one tile
struct OutputTile {
  const float* m;  // m[p * stride + f]
  std::int64_t stride;
  std::int64_t filters;
  int rows, columns;  // of the m x m pixels, those inside the picture
  void* y;
  std::int64_t row, pixel;
  const float* bias;     // or nullptr
  const void* residual;  // or nullptr
  bool bf16_y, bf16_residual;
  Activation activation;
  float alpha;
};

// u[p * stride + c * width + f] = (G w G^T)[p] of channel c; zero for filters <= f < width. In bfloat16 they are tiles
// of pairs instead (gemm/README.md), zeros up to kSplitDepth channels. It is written in whole lines that bypass the
// cache: U is up to four times as large as w, so most of it would be gone from there before it is read.
struct KernelRows {
  const float* w;  // w[t * tap + c * channel + f], t < 9
  std::int64_t tap, channel;
  std::int64_t channels, filters, width;
  void* u;  // at the boundary of a line, as each row of it
  std::int64_t stride;
};

// The products of one position and one panel of U: m[t * row + f] = sum over channels of v[t * channels + c] u[c][f].
struct Products {
  std::int64_t tiles, channels, width;
  const void *v, *u;
  float* m;
  std::int64_t row;
  const void* next;  // what of U is used after this, which is called in meanwhile
  std::int64_t next_bytes;
};
template <const gemm::Engine& engine>
void multiply(const Products& p);
template <const gemm::SplitEngine& engine>
void multiply_pairs(const Products& p);

// One tile size on one instruction set.
struct Transforms {
  int m;
  bool bf16;                // how V and U are stored, else in float32
  gemm::Blocking blocking;  // of U's panels
  void (*input)(const InputTile&);
  void (*multiply)(const Products&);
  void (*output)(const OutputTile&);
  void (*kernel)(const KernelRows&);
};

// The gradient of w is the adjoint of all that: dU[p] = sum over tiles of V[p]^T D[p], D = A dy A^T, dw = G^T dU G.

// The pixels dy[i * row + j * pixel + f] of a tile.
struct DyTile {
  const void* dy;
  int rows, columns;  // of the m x m pixels, those inside the picture; the others count as zero
};

// d[p * stride + ...] = (A dy A^T)[p], one tile or a pair, as row `item` of panels of filters (gemm/outer_tile.h)
struct GradientItem {
  const DyTile* tiles;
  const DyTile* next;  // of the item after this one, which are called in
  bool bf16;
  std::int64_t row, pixel;
  std::int64_t filters;
  float* d;
  std::int64_t stride, panel, item;  // from a position, and from a panel, to the next
};

// w[t * tap + f] = (G^T u G)[t], t < 9, one channel
struct WeightRow {
  const float* u;  // u[p * stride + f]
  std::int64_t stride;
  std::int64_t filters;
  float* w;
  std::int64_t tap;
};

struct GradientTransforms {
  int m;
  std::int64_t tiles;    // of a block, at most
  std::int64_t in_item;  // tiles: 2 where V and D are of pairs in bfloat16, a missing second being zeros
  const gemm::OuterEngine* engine;
  void (*input)(const InputTile&);
  void (*gradient)(const GradientItem&);
  void (*weights)(const WeightRow&);
};

// Where a tile lies: its picture and the first of its pixels, of tiles that come row by row.
struct Place {
  std::int64_t picture, i, j;
};
Place place_of(std::int64_t tile, std::int64_t rows, std::int64_t columns, std::int64_t m);

// The n x n pixels of a window whose first is (top, left); those outside the picture are `zeros`.
struct Picture {
  const unsigned char* x;
  std::int64_t height, width, pixel;  // in bytes from a pixel to the next
};
void find_window(const Picture& picture, std::int64_t top, std::int64_t left, std::int64_t n, const void* zeros,
                 const void** pixels);

#if FC_X86
namespace avx2 {
extern const Transforms f2, f4;
extern const GradientTransforms gradient4;
}  // namespace avx2
namespace avx512 {
extern const Transforms f2, f4;
extern const GradientTransforms gradient4;
}  // namespace avx512
namespace avx512bf16 {
extern const Transforms f2;
extern const GradientTransforms gradient2;
}  // namespace avx512bf16
#endif

}  // namespace fastcnn::winograd

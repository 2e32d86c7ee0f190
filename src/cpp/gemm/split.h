// The contract of the kernels that multiply floats as sums of bfloat16 parts. Plain data: ISA files include this.
// Formula, layout and accuracy: README.md, split_avx512bf16.cpp and gemm_amx.cpp.
#pragma once

#include "core/epilogue.h"

namespace fastcnn::gemm {

// A tile of A is `rows` x 32 parts, one of B 32 x 16; each takes 1024 bytes. A tile's 32 terms of the sum are 16 pairs
// (k, k + 16).
inline constexpr int kSplitRows = 16, kSplitColumns = 16, kSplitDepth = 32, kSplitTileBytes = 1024;
inline constexpr int kSplitRowBytes = kSplitTileBytes / kSplitRows;
// Tiles of A, and of B, that a micro-kernel multiplies at a time: a strip of rows, a panel of columns.
inline constexpr int kSplitTiles = 2;

// Floats -> one tile of each part of each 32 terms: tile (step, part) goes to out + (step * parts + part) *
// part_stride.
struct SplitRows {
  const float* const* rows;  // `count` rows of `depth` floats
  int count;
  std::int64_t depth;  // zeros are put after the last
  std::int64_t next;   // floats from a row to the one that is split after these: it is called in
  std::int64_t part_stride;
  unsigned char* out;
};
struct SplitColumns {
  const float* b;  // row k at b + k * row_stride
  std::int64_t row_stride, depth, columns;
  std::int64_t part_stride;
  unsigned char* out;
};

// Pixels' channels -> tiles of B, whose columns are the channels, or, `turned`, of A, whose rows they are; the terms of
// the sum are the pixels.
struct SplitPixels {
  const float* const* pixels;  // `steps` times 32
  std::int64_t offset;         // of the first channel
  std::int64_t channels;       // at most 16; zeros are put after the last
  std::int64_t steps;
  std::int64_t part_stride;
  bool turned;
  unsigned char* out;
};

// to[n * to_stride + m] = the sum over `count` tiles, each `stride` floats after the one before, of element (m, n),
// m < rows, n < columns: a tile of C turned. The tiles are added up two by two.
struct SplitTurn {
  const float* tiles;
  std::int64_t stride, count;
  std::int64_t rows, columns;
  float* to;
  std::int64_t to_stride;
};

// Tiles of A that follow each other in the sum: those of the first step, each next `SplitProduct::step_stride` bytes
// on.
struct SplitRun {
  const unsigned char* a[kSplitTiles];
  std::int64_t steps;
  const unsigned char* b = nullptr;  // its tiles of B; nullptr: those after the run's before
};

// Sums of a strip, finished and stored: row r goes to element at[r] of c, or nowhere if that is negative. c and
// the residual are floats, or bfloat16 where it is said.
struct SplitFinish {
  const float* sums;
  int rows, tile_rows;  // of the strip, and of each of its tiles but the last
  int column_tiles;
  std::int64_t columns;
  const std::int64_t* at;               // in c and in residual alike
  const std::int64_t* ahead = nullptr;  // such of as many rows, whose lines are called in meanwhile; nullptr: none
  void* c;
  const void* residual;  // or nullptr
  const float* bias;     // or nullptr
  bool bf16_c, bf16_residual;
  Activation activation;
  float alpha;
};

// c = sum over the steps of all runs of A's strip times B's panel, `row_tiles` x `column_tiles` tiles of 16 x 16
// floats, row by row of tiles; added to what c holds if `accumulate`. The rows of a tile of A are `row_stride` bytes
// apart, its parts `part_stride`. Of B in one part the tiles of a step, and the steps, may lie apart.
struct SplitProduct {
  const SplitRun* runs;
  int num_runs;
  std::int64_t row_stride, part_stride, step_stride;
  const unsigned char* b;
  std::int64_t b_tile_stride = kSplitTileBytes, b_step_stride = 0;  // 0: steps follow each other
  const unsigned char* next;  // with each step so many bytes from here on are called into L2: what comes next
  std::int64_t next_bytes, next_skip = 0;  // and so many left out
  int row_tiles, column_tiles;
  int tile_rows;                     // of each tile of A
  int last_pairs = kSplitDepth / 2;  // of terms that count in the last step of a run; zeros of B meet the others
  bool accumulate;
  float* c;
  const SplitFinish* finish = nullptr;  // what becomes of the sums, c being their scratch; nullptr: they stay in c
};

// act(A B + bias + residual) of sums of few terms in one part: `rows` rows of A, each of runs of `pairs` pairs, with a
// panel of B, where each run starts a step. Rows of A are `row_stride` bytes apart, runs `run_stride`, rows of c and of
// the residual `pitch` elements, from the first on (`finish` has no `at`). The activation only bounds.
struct ShortProduct {
  const unsigned char *a, *b;
  std::int64_t row_stride, rows, pitch;
  int pairs;
  int num_runs = 1;
  std::int64_t run_stride = 0;
  bool calls_in;  // the lines of c and of the residual of as many rows after these
  const SplitFinish* finish;
};

// Floats -> tiles of so many parts.
struct SplitLayout {
  void (*split_rows)(const SplitRows&);
  void (*split_columns)(const SplitColumns&);
  void (*split_pixels)(const SplitPixels&);
};

struct SplitEngine {
  int parts;      // bf16 parts of each factor
  int tile_rows;  // that a tile of A should have at most
  const SplitLayout& layout;
  void (*configure)(int rows);  // rows of A's tiles from now on, for the calling thread, until release()
  void (*release)();
  void (*multiply)(const SplitProduct&);  // after configure()
  void (*multiply_short)(const ShortProduct&) = nullptr;
};

#if FC_X86
namespace avx512bf16 {
extern const SplitLayout one_part, two_parts, three_parts;
void prefetch(const SplitFinish& f);  // calls in the rows ahead
void finish(const SplitFinish& f);
void turn(const SplitTurn& t);
void multiply_short(const ShortProduct& p);

extern const SplitEngine bf16;  // one part
}  // namespace avx512bf16
namespace amx {
// Three parts and six products, two and three, one.
extern const SplitEngine bf16x6, bf16x3, bf16;
}  // namespace amx
#endif

}  // namespace fastcnn::gemm

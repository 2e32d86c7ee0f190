// The contract of the micro-kernel that sums outer products. Plain data: ISA files include this. Picture and formula:
// README.md.
#pragma once

#include "gemm/blocking.h"

namespace fastcnn::gemm {

// Neighbouring pixels: where the first one's part of A starts, in floats, and its row of B.
struct OuterRun {
  std::int64_t a, b, length;
};

// C[r, n] = sum over runs, over k < length: a[run.a + k * a_step + r] * b[(run.b + k) * vectors * width + n],
//           r < rows, n < columns.
struct OuterTile {
  const float* a;
  std::int64_t a_step;
  const float* b;  // a packed panel
  const OuterRun* runs;
  std::int64_t count;
  std::int64_t columns;  // (vectors - 1) * width < columns <= vectors * width
  float* c;
  std::int64_t c_stride;
  bool accumulate;  // the sum is added to what C holds
  // With each k a line of 64 bytes is called into L2, of pixels of so many lines: what comes next.
  const float* next;
  std::int64_t next_lines, next_step;
  // Of a tile that keeps A: where the pixels go, one after the other, a register each; or all of them, where none is
  // read again (0).
  float* kept;
  std::int64_t kept_step;
};

// Parts of a matrix: `rows` rows of `columns` floats, one after the other.
struct OuterTurn {
  const float* from;
  std::int64_t stride, count;  // floats from a part to the next; how many
  std::int64_t rows, columns;
  float* to;
  std::int64_t to_stride;
};

struct OuterTiles {
  void (*of[kMaxOuterRows][kMaxOuterVectors])(const OuterTile&);  // [rows - 1][vectors - 1]
};

// Channels of pixels -> strips for the rows of C: `first` strips of `rows` channels, the others of one less; a pixel's
// start a register after the one before; what is beyond its rows may be anything.
struct OuterStrips {
  const float* from;
  std::int64_t step;  // floats from a pixel to the next
  std::int64_t pixels, channels;
  std::int64_t strips, rows, first;
  float* to;
  std::int64_t strip_floats;  // from a strip to the next
};

// Channels of pixels -> panels of at most `vectors` vectors, one after the other; zero beyond the last column.
struct OuterPanels {
  const float* from;
  std::int64_t step;
  std::int64_t pixels, columns;
  float* to;
  std::int64_t panel_floats;  // from a panel to the next, which may be narrower
};

struct OuterEngine {
  OuterBlocking blocking;
  OuterTiles tile;
  OuterTiles keeping;  // tiles whose A is a picture: they leave a strip of what they read
  void (*pack_strips)(const OuterStrips&);
  void (*pack_panels)(const OuterPanels&);
  // to[i] = from[i] + from[stride + i] + ..., `count` parts added up two by two
  void (*sum)(const float* from, std::int64_t stride, std::int64_t count, float* to, std::int64_t size);
  // The same of at most `width` rows of so many columns, turned: to[column * to_stride + row].
  void (*sum_turned)(const OuterTurn&);
};

#if FC_X86
namespace avx2 {
extern const OuterEngine outer_engine;
}
namespace avx512 {
extern const OuterEngine outer_engine;
}
namespace avx512bf16 {
// A and B are of pairs of pixels: what counts as a float is one channel of two of them, in bfloat16.
extern const OuterEngine outer_engine;
}  // namespace avx512bf16
#endif

}  // namespace fastcnn::gemm

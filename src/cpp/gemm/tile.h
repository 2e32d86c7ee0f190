// The contract of the micro-kernel. Plain data: ISA files include this. Picture and formula: README.md.
#pragma once

#include "core/epilogue.h"
#include "gemm/blocking.h"

namespace fastcnn::gemm {

// C[r, n] = act( bias[n] + sum_{t < taps} sum_{k < depth} a[t * rows + r][k * a_step] * b[(t * depth + k) * vectors *
// width + n]
//                + residual[r, n] ),   r < rows, n < columns.
// Each element is one chain of fused multiply-adds that starts from the bias and goes in the order of (t, k): the same
// bits for any tile size.
struct Tile {
  const float* const* a;  // taps x rows pointers; of more than kMaxRows rows only the first two of a tap are read, the
                          // others follow at the same distance
  std::int64_t taps, depth;
  std::int64_t a_step;     // floats from one k to the next: 1 in an NHWC picture
  const float* b;          // a packed panel: taps * depth rows of vectors * width floats
  std::int64_t columns;    // (vectors - 1) * width < columns <= vectors * width
  const std::int64_t* at;  // where row r starts, in c and in residual alike
  float* c;
  const float* residual;  // or nullptr
  const float* bias;      // or nullptr
  Activation activation;
  float alpha;
  bool accumulate;        // the chain goes on from what C holds instead of the bias
  bool finish;            // residual and activation are applied: this is the last part of the sum
  std::int64_t ahead;     // of C and of the residual the lines so many floats beyond the rows are called in
  const float* prefetch;  // with each k a line of 64 bytes from here on is called into L2: what comes next
};

using TileFn = void (*)(const Tile&);

// The same of few terms for `rows` rows that follow each other at one distance, in A, and in C and the residual; the
// activation only bounds.
struct ShortRows {
  const float* const* a;  // the first row of each tap
  std::int64_t taps, depth;
  std::int64_t a_row, rows;
  const float* b;
  std::int64_t columns;
  float* c;               // of the first row
  const float* residual;  // or nullptr
  std::int64_t c_row;
  const float* bias;  // or nullptr
  Activation activation;
  bool calls_in;  // the lines of C and of the residual of as many rows after these
};

// The micro-kernels of one instruction set; tile[r - 1][v - 1] computes r rows x v vectors, tall[v - 1]
// blocking.tall_rows rows x v vectors.
struct Engine {
  Blocking blocking;
  TileFn tile[kMaxRows][kMaxTileVectors];
  TileFn tall[kMaxTallVectors];
  void (*short_rows[kMaxTileVectors])(const ShortRows&);  // [v - 1]
};

#if FC_X86
namespace avx2 {
extern const Engine engine;
}
namespace avx512 {
extern const Engine engine;
}
#endif

}  // namespace fastcnn::gemm

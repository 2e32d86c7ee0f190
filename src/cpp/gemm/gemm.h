// The matrix-product engine: C = act(A B + bias + residual), B packed, A read where it lies. See README.md.
// For baseline files; ISA files include gemm/tile.h.
#pragma once

#include "core/cpu.h"
#include "gemm/tile.h"

namespace fastcnn::gemm {

// ---- packed B ----------------------------------------------------------------------------------

// `total` in `count` parts as even as can be, the larger ones first; no division to find one.
struct EvenParts {
  std::int64_t count, size, larger;

  EvenParts(std::int64_t total, std::int64_t parts)
      : count(parts), size(parts > 0 ? total / parts : 0), larger(parts > 0 ? total % parts : 0) {}
  std::int64_t begin(std::int64_t part) const { return part * size + min_i64(part, larger); }
};

// The columns of B in panels of at most `vectors` vectors, as even as can be: 80 columns of width 16 are 3 + 2 vectors,
// not 4 + 1. Panel p holds `depth` rows of vectors(p) * width floats; the columns beyond the last are zero.
struct Panels {
  std::int64_t total_vectors, count;
  int width;
  EvenParts parts;

  Panels(const Blocking& blocking, std::int64_t columns)
      : total_vectors(ceil_div(columns, blocking.width)),
        count(ceil_div(total_vectors, blocking.vectors)),
        width(blocking.width),
        parts(total_vectors, count) {}
  std::int64_t vectors(std::int64_t p) const { return parts.begin(p + 1) - parts.begin(p); }
  std::int64_t first_column(std::int64_t p) const { return parts.begin(p) * width; }
  // Where panel p starts, in floats.
  std::int64_t offset(std::int64_t p, std::int64_t depth) const { return first_column(p) * depth; }
};

// Floats that a packed B of depth x columns takes.
std::int64_t packed_size(const Blocking& blocking, std::int64_t depth, std::int64_t columns);

// B(k, n) = b[k * row_stride + n * column_stride], for k < depth and n < columns.
struct PackSource {
  const float* b;
  std::int64_t row_stride, column_stride;
  std::int64_t depth, columns;
};
void pack(const Blocking& blocking, const PackSource& source, float* packed);

// ---- where the rows of A and C lie ---------------------------------------------------------------

// What a micro-tile of rows reads and writes.
struct RowSet {
  const float** a;                // to fill: taps x count pointers, tap by tap; room for the source's max_taps()
  float* scratch;                 // the source's scratch() floats, to build rows that do not lie anywhere
  std::int64_t taps, depth;       // how A's row is cut: `taps` runs of `depth` floats
  std::int64_t b_row;             // the row of B that the first tap meets
  std::int64_t at[kMaxTileRows];  // where the rows of C (and of the residual) start
  bool even;                      // within each tap, the rows of A follow each other at one distance
};

// Rows that follow each other at one distance, in A, and in C and the residual.
struct Stretch {
  const float** a;           // to fill: the first row of each tap; room for the source's max_taps()
  float* scratch;            // as of RowSet
  std::int64_t taps, depth;  // likewise
  std::int64_t b_row;
  std::int64_t a_row, c_row;  // from one row to the next
  std::int64_t at;            // where the first row of C starts
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  // Rows [first, first + count) of batch `batch`.
  virtual void rows(std::int64_t batch, std::int64_t first, int count, RowSet& set) const = 0;
  // Of `count` <= kStretch rows from `first` on those that are a stretch with the first: how many.
  virtual std::int64_t stretch(std::int64_t batch, std::int64_t first, std::int64_t count, Stretch& to) const = 0;
  // Whether stretches are rows by the dozen.
  virtual bool stretches() const { return true; }
  virtual std::int64_t max_taps() const { return 1; }
  virtual std::int64_t scratch() const { return 0; }
  // A sum too long for one sweep is cut at multiples of this many rows of B: whole taps of every tile. 1: anywhere,
  // for sources of a single tap.
  virtual std::int64_t unit() const { return 1; }
  // Whether the rows follow each other in memory, so that those of the next tiles can be called in ahead.
  virtual bool contiguous() const { return false; }
};

// The rows of a plain matrix: A(r, k) = a[batch * batch_stride + r * row_stride + k * a_step]; C is `columns` wide.
class MatrixRows final : public RowSource {
 public:
  MatrixRows(const float* a, std::int64_t row_stride, std::int64_t depth, std::int64_t c_stride,
             std::int64_t batch_stride = 0)
      : a_(a), row_stride_(row_stride), depth_(depth), c_stride_(c_stride), batch_stride_(batch_stride) {}
  void rows(std::int64_t batch, std::int64_t first, int count, RowSet& set) const override;
  std::int64_t stretch(std::int64_t batch, std::int64_t first, std::int64_t count, Stretch& to) const override;
  bool contiguous() const override { return row_stride_ == depth_; }

 private:
  const float* a_;
  std::int64_t row_stride_, depth_, c_stride_, batch_stride_;
};

// ---- the product ---------------------------------------------------------------------------------

struct Product {
  std::int64_t rows = 0, columns = 0, depth = 0;  // C is rows x columns, sums run over depth
  std::int64_t a_step = 1;                        // floats from one k to the next in A
  const float* packed = nullptr;                  // B
  float* c = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;
  bool bf16_c = false, bf16_residual = false;  // these are bfloat16; for split_gemm.h only
  Activation activation = Activation::Linear;
  float alpha = 0.0f;
  bool lower_triangle = false;  // only C(r, n) with r >= n is asked for; others may or may not be written
  // Independent products of the same shape (groups, batches); each starts its operands this much further on.
  std::int64_t batch = 1;
  std::int64_t packed_stride = 0, c_stride = 0, bias_stride = 0;  // the residual goes with C

  // `operands` has a bias and a residual, as ops/epilogue_operands.h.
  template <class Operands>
  void set_epilogue(const Epilogue& epilogue, const Operands& operands) {
    bias = operands.bias;
    residual = operands.residual;
    bf16_c = epilogue.result == DType::BF16, bf16_residual = operands.bf16_residual;
    activation = epilogue.activation;
    alpha = epilogue.alpha;
  }
};

// By engine, as for the others (split_gemm.h).
inline std::int64_t packed_size(const Engine& engine, std::int64_t depth, std::int64_t columns) {
  return packed_size(engine.blocking, depth, columns);
}
inline void pack(const Engine& engine, const PackSource& source, float* packed) {
  pack(engine.blocking, source, packed);
}

// Multi-threaded, cut by shape. With depth 0 the sums are 0 and the epilogue still applies.
void multiply(const Engine& engine, const Product& product, const RowSource& source);

}  // namespace fastcnn::gemm

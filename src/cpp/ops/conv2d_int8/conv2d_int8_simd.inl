// Computes   blocks of conv2d_int8's matrix product with 16-bit multiplications (the contract: conv2d_int8.h).
// Layout     rows and weights as 16-bit integers; a register holds the pairs of neighbouring terms of its columns.
// Tile       kRows rows x 16 columns: AVX-512 8 x 1 registers of sums, AVX2 4 x 2, beside 1 or 2 of weights and a
//            broadcast pair.
// Why        products of 8-bit integers in pairs would leave 16 bits; of 16-bit integers a pair's sum fits in 32, and
//            one instruction makes as many products as a fused multiply-add of floats makes two of.
// Needs      weights packed by conv2d_int8_pack_pairs.
// Accuracy   exact.
#include "ops/conv2d_int8/conv2d_int8.h"
#include "ops/quantize/int8_finish.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr int kRows = F32::registers / 4;
constexpr int kRegisters = 16 / F32::width;  // of a tile's columns

// ---- rows of windows -----------------------------------------------------------------------------

FC_INLINE void copy_codes(std::int16_t* to, const std::uint8_t* from, std::int64_t n) { widen_bytes(to, from, n); }
#include "ops/conv2d_int8/copy_windows.inl"

// ---- products ------------------------------------------------------------------------------------

// Rows from `row` on, the 16 columns of one half of the panel.
template <int rows>
FC_INLINE void multiply_tile(const Int8Factors& f, std::int64_t row, int half, std::int32_t* sums) {
  I32 sum[rows][kRegisters];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kRegisters; ++v) sum[r][v] = load(f.start + 16 * half + v * F32::width);
  const auto* a = static_cast<const std::int16_t*>(f.a) + (f.first + row) * f.pitch;
  const auto* b = static_cast<const std::int16_t*>(f.panel) + half * kInt8Step * 16;
  for (std::int64_t tap = 0; tap < f.taps; ++tap, a += f.tap_pitch)
    for (std::int64_t step = 0; step < f.run; step += kInt8Step, b += 2 * kInt8Step * 16) {
      for (std::int64_t k = 0; k < kInt8Step; k += 2) {
        I32 weights[kRegisters];
        for (int v = 0; v < kRegisters; ++v)
          weights[v] = load(reinterpret_cast<const std::int32_t*>(b + k * 16) + v * F32::width);
        for (int r = 0; r < rows; ++r) {
          const I32 pair = broadcast_pair(a + r * f.pitch + step + k);
          for (int v = 0; v < kRegisters; ++v) sum[r][v] = sum[r][v] + multiply_pairs(pair, weights[v]);
        }
      }
    }
  sums += row * kInt8Columns + 16 * half;
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kRegisters; ++v) store(sums + r * kInt8Columns + v * F32::width, sum[r][v]);
}

void multiply(const Int8Factors& f, std::int32_t* sums) {
  for (int half = 0; half < 2; ++half) {
    std::int64_t row = 0;
    for (; row + kRows <= f.rows; row += kRows) multiply_tile<kRows>(f, row, half, sums);
    for (; row < f.rows; ++row) multiply_tile<1>(f, row, half, sums);
  }
}

void copy(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch) {
  copy_windows(windows, first, count, static_cast<std::int16_t*>(to), pitch);
}

// ---- results -------------------------------------------------------------------------------------

template <class Kind, class Lanes>
FC_INLINE void finish_rows(const Int8Block& b, Lanes lanes) {
  const Int8Finish f = *b.finish;
  constexpr std::int64_t kItem = Kind::codes ? 1 : 4, kResidualItem = Kind::residual == Residual::Codes ? 1 : 4;
  F32 scale[kFinishRegisters], bias[kFinishRegisters];
  for (int i = 0; i < kFinishRegisters; ++i) {
    scale[i] = load(b.by_column->scale + i * F32::width);
    bias[i] = load(b.by_column->bias + i * F32::width);
  }
  auto* y = static_cast<unsigned char*>(b.y);
  auto* residual = static_cast<const unsigned char*>(b.residual);
  for (std::int64_t r = 0; r < b.rows; ++r) {
    I32 sum[kFinishRegisters];
    for (int i = 0; i < kFinishRegisters; ++i) sum[i] = load(b.sums + r * kInt8Columns + i * F32::width);
    finish_row<Kind>(f, sum, scale, bias, residual, y, lanes);
    y += b.row_stride * kItem;
    if constexpr (Kind::residual != Residual::None) residual += b.row_stride * kResidualItem;
  }
}

void finish_block(const Int8Block& b) {
  with_finish(*b.finish, [&](auto kind) {
    if (b.columns == kInt8Columns)
      finish_rows<decltype(kind)>(b, Whole{});
    else
      finish_rows<decltype(kind)>(b, Part{b.columns});
  });
}

}  // namespace

const Int8Engine int8_engine{.row_items = 2,
                             .packed_pairs = 2,
                             .terms = kInt8Step,
                             .rows = 1,
                             .tile_rows = kInt8TileRows,
                             .gaps = false,
                             .begin = nullptr,
                             .end = nullptr,
                             .copy = copy,
                             .multiply = multiply,
                             .finish = finish_block};

}  // namespace fastcnn::FC_SIMD

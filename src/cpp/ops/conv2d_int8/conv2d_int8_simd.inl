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

template <int rows>
FC_INLINE void multiply_tile(const std::int16_t* a, std::int64_t pitch, const std::int16_t* b, std::int64_t depth,
                             const std::int32_t* start, std::int32_t* sums) {
  I32 sum[rows][kRegisters];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kRegisters; ++v) sum[r][v] = load(start + v * F32::width);
  for (std::int64_t step = 0; step < depth; step += kInt8Step, b += 2 * kInt8Step * 16) {
    for (std::int64_t k = 0; k < kInt8Step; k += 2) {
      I32 weights[kRegisters];
      for (int v = 0; v < kRegisters; ++v)
        weights[v] = load(reinterpret_cast<const std::int32_t*>(b + k * 16) + v * F32::width);
      for (int r = 0; r < rows; ++r) {
        const I32 pair = broadcast_pair(a + r * pitch + step + k);
        for (int v = 0; v < kRegisters; ++v) sum[r][v] = sum[r][v] + multiply_pairs(pair, weights[v]);
      }
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kRegisters; ++v) store(sums + r * kInt8Columns + v * F32::width, sum[r][v]);
}

void multiply(const void* a, std::int64_t pitch, std::int64_t rows, const void* panel, std::int64_t depth,
              const std::int32_t* start, std::int32_t* sums) {
  const auto* row = static_cast<const std::int16_t*>(a);
  const auto* weights = static_cast<const std::int16_t*>(panel);
  for (int half = 0; half < 2; ++half, weights += kInt8Step * 16, start += 16, sums += 16) {
    std::int64_t r = 0;
    for (; r + kRows <= rows; r += kRows)
      multiply_tile<kRows>(row + r * pitch, pitch, weights, depth, start, sums + r * kInt8Columns);
    for (; r < rows; ++r) multiply_tile<1>(row + r * pitch, pitch, weights, depth, start, sums + r * kInt8Columns);
  }
}

void copy(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch) {
  copy_windows(windows, first, count, static_cast<std::int16_t*>(to), pitch);
}

}  // namespace

const Int8Engine int8_engine{2, 32, 2, nullptr, nullptr, copy, multiply, finish_block};

}  // namespace fastcnn::FC_SIMD

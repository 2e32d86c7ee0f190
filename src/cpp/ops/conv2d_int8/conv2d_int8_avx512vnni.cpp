// Computes   blocks of conv2d_int8's matrix product with AVX512-VNNI (the contract: conv2d_int8.h).
// Layout     rows of bytes, in the picture itself or copied; weights by four neighbouring terms of a column.
// Tile       14 x 32: 28 registers of sums + 2 of weights + 1 broadcast of four terms = 31 of 32; the 32 rows of a
//            block are 11 + 11 + 10.
// Why        one instruction makes 64 products, four times those of a multiply-add of floats, and two start each cycle
//            (Zen 5), or one. Weights of 14 rows are read from L2 less often than those of fewer.
// Needs      AVX512-VNNI; weights packed by conv2d_int8_pack_tiles.
// Accuracy   exact.
#include "ops/conv2d_int8/conv2d_int8.h"
#include "simd/int8_avx512.h"

namespace fastcnn::avx512vnni {
namespace {

FC_INLINE void copy_codes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n) {
  fastcnn::avx512::copy_bytes(to, from, n);
}
#include "ops/conv2d_int8/copy_windows.inl"
#include "simd/dot_step.inl"

void copy(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch) {
  copy_windows(windows, first, count, static_cast<std::uint8_t*>(to), pitch);
}

constexpr int kRows = 14, kHalves = 2;  // of a micro-tile; of a panel, 16 columns each

// Of the terms that are left of a sum, in a step.
FC_INLINE int groups_of(std::int64_t terms) { return static_cast<int>(terms < kInt8Step ? ceil_div(terms, 4) : 16); }

struct Codes {
  using Sum = __m512i;
  static FC_INLINE Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

template <int rows>
void multiply_rows(const Int8Factors& f, std::int64_t first_row, std::int32_t* sums) {
  __m512i sum[rows][kHalves];
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) sum[r][half] = _mm512_loadu_si512(f.start + 16 * half);
  const auto* row = static_cast<const unsigned char*>(f.a) + first_row * f.pitch;
  const auto* b = static_cast<const unsigned char*>(f.panel);
  for (std::int64_t tap = 0; tap < f.taps; ++tap, row += f.tap_pitch)
    for (std::int64_t k = 0; k < f.run; k += kInt8Step, b += kHalves * kInt8Step * 16) {
      const unsigned char* const a[] = {row + k};
      dot_step<Codes>(sum, a, f.pitch, b, kInt8Step * 16, groups_of(f.run - k));
    }
  sums += first_row * kInt8Columns;
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) _mm512_storeu_si512(sums + r * kInt8Columns + 16 * half, sum[r][half]);
}

using MultiplyRows = void (*)(const Int8Factors&, std::int64_t, std::int32_t*);
constexpr MultiplyRows kMultiply[kRows] = {multiply_rows<1>,  multiply_rows<2>,  multiply_rows<3>,  multiply_rows<4>,
                                           multiply_rows<5>,  multiply_rows<6>,  multiply_rows<7>,  multiply_rows<8>,
                                           multiply_rows<9>,  multiply_rows<10>, multiply_rows<11>, multiply_rows<12>,
                                           multiply_rows<13>, multiply_rows<14>};

void multiply(const Int8Factors& f, std::int32_t* sums) {
  for (std::int64_t row = 0, tiles = ceil_div(f.rows, kRows); tiles > 0; --tiles) {
    const std::int64_t rows = ceil_div(f.rows - row, tiles);  // as even as can be
    kMultiply[rows - 1](f, row, sums);
    row += rows;
  }
  for (std::int64_t i = 0; i < f.next_bytes; i += 64) _mm_prefetch(static_cast<const char*>(f.next) + i, _MM_HINT_T1);
}

void finish(const Int8Block& block) { fastcnn::avx512::int8_engine.finish(block); }

}  // namespace

const Int8Engine int8_engine{1, 4, 4, 1, 2 * kRows, nullptr, nullptr, copy, multiply, finish};

}  // namespace fastcnn::avx512vnni

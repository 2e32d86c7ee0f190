// Computes   pixels of bfloat16 laid out as tiles of A and of B (the contract: bf16_pixels.h).
// Layout     in: a pointer for each pixel. Out: rows of channels; rows of pairs of pixels.
// Tile       turned: 8 channels of 32 pixels, 8 registers of 4 x 8 pixels, each lane a square of its own. Pairs: two
//            registers, 32 channels of 2 pixels.
// Why        the lanes of a register are filled by loads, which leaves three rounds of shuffles within them for a
//            square instead of the four to six of a whole one; the port that shuffles is what bounds both.
// Needs      AVX-512 BW and VL: the last channels are a masked load.
// Accuracy   exact.
#include "gemm/bf16_pixels.h"

#include "gemm/split.h"
#include "simd/avx512.h"

namespace fastcnn::gemm::avx512 {
namespace {

constexpr int kPixels = 32, kSquare = 8;  // pixels of a step; channels, and pixels, of a square

// 8 channels of 32 pixels, from `at` on; the last `lanes` of them are a masked load, which no shuffle takes in itself.
template <bool whole>
FC_INLINE void turn_square(const void* const* pixels, std::int64_t at, __mmask8 lanes, unsigned char* out) {
  const auto load_channels = [&](int pixel) {
    const Bf16* from = static_cast<const Bf16*>(pixels[pixel]) + at;
    if constexpr (whole)
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    else
      return _mm_maskz_loadu_epi16(lanes, from);
  };
  __m512i a[kSquare], b[kSquare];
#pragma GCC unroll 8
  for (int i = 0; i < kSquare; ++i) {
    a[i] = _mm512_castsi128_si512(load_channels(i));
    a[i] = _mm512_inserti32x4(a[i], load_channels(kSquare + i), 1);
    a[i] = _mm512_inserti32x4(a[i], load_channels(2 * kSquare + i), 2);
    a[i] = _mm512_inserti32x4(a[i], load_channels(3 * kSquare + i), 3);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kSquare; i += 2) {
    b[i] = _mm512_unpacklo_epi16(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi16(a[i], a[i + 1]);
  }
  // b[i], b[i + 2]: pairs of pixels 0 1 and 2 3, of 4 5 and 6 7; of channels 0 .. 3 if i is even.
#pragma GCC unroll 2
  for (int i = 0; i < kSquare; i += 4)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      a[i + 2 * h] = _mm512_unpacklo_epi32(b[i + h], b[i + 2 + h]);
      a[i + 2 * h + 1] = _mm512_unpackhi_epi32(b[i + h], b[i + 2 + h]);
    }
  // a[j], a[j + 4]: four pixels of channels 2 j and 2 j + 1.
#pragma GCC unroll 4
  for (int j = 0; j < kSquare / 2; ++j) {
    _mm512_store_si512(out + 2 * j * kSplitRowBytes, _mm512_unpacklo_epi64(a[j], a[j + 4]));
    _mm512_store_si512(out + (2 * j + 1) * kSplitRowBytes, _mm512_unpackhi_epi64(a[j], a[j + 4]));
  }
}

FC_INLINE __m512i count_lanes() { return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0); }

}  // namespace

void turn_pixels(const Bf16Pixels& p, std::int64_t strip_bytes) {
  for (std::int64_t step = 0; step < p.steps; ++step)
    for (std::int64_t c = 0; c < p.channels; c += kSquare) {
      const std::int64_t tile = c / kSplitRows, strip = tile / kSplitTiles, left = p.channels - c;
      unsigned char* out = p.out + strip * strip_bytes + (step * kSplitTiles + tile % kSplitTiles) * kSplitTileBytes +
                           c % kSplitRows * kSplitRowBytes;
      const void* const* pixels = p.pixels + step * kPixels;
      if (left >= kSquare)
        turn_square<true>(pixels, p.offset + c, 0xff, out);
      else
        turn_square<false>(pixels, p.offset + c, static_cast<__mmask8>((1u << left) - 1), out);
    }
}

void pair_pixels(const Bf16Pixels& p, std::int64_t column_bytes) {
  // Number k of the first pixel, number k of the second: of 16 channels, and of the 16 after them.
  const __m512i first =
      _mm512_add_epi32(_mm512_set1_epi32(kPixels << 16), _mm512_mullo_epi32(_mm512_set1_epi32(0x10001), count_lanes()));
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(kSplitColumns << 16 | kSplitColumns));
  for (std::int64_t c = 0; c < p.channels; c += 2 * kSplitColumns) {
    const std::int64_t left = p.channels - c;
    const auto lanes = static_cast<__mmask32>(left < 2 * kSplitColumns ? (std::int64_t{1} << left) - 1 : -1);
    unsigned char* out = p.out + c / kSplitColumns * column_bytes;
    const auto pixel = [&](std::int64_t i) {
      return _mm512_maskz_loadu_epi16(lanes, static_cast<const Bf16*>(p.pixels[i]) + p.offset + c);
    };
    for (std::int64_t i = 0; i < p.steps * kPixels; i += 2, out += kSplitRowBytes) {
      const __m512i even = pixel(i), odd = pixel(i + 1);
      _mm512_store_si512(out, _mm512_permutex2var_epi16(even, first, odd));
      if (left > kSplitColumns) _mm512_store_si512(out + column_bytes, _mm512_permutex2var_epi16(even, second, odd));
    }
  }
}

}  // namespace fastcnn::gemm::avx512

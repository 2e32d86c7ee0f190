// Computes   pixels of bfloat16 laid out as tiles of A and of B (the contract: bf16_pixels.h).
// Layout     in: a pointer for each pixel. Out: rows of channels; rows of pairs of pixels.
// Tile       turned: 8 channels of 32 pixels, 8 registers of 4 x 8 pixels, each lane a square of its own.
//            Pairs: one register, 16 channels of 2 pixels.
// Why        the lanes of a register are filled by loads, which leaves three rounds of shuffles within them for a
// square
//            instead of the four to six of a whole one; the port that shuffles is what bounds both.
// Needs      AVX-512 BW and VL: the last channels are a masked load.
// Accuracy   exact.
#include "gemm/bf16_pixels.h"

#include "simd/avx512.h"

namespace fastcnn::gemm::avx512 {
namespace {

constexpr int kPixels = 32, kSquare = 8;  // pixels of a step; channels, and pixels, of a square

FC_INLINE __m128i load_channels(const void* pixel, std::int64_t at, __mmask8 lanes) {
  return _mm_maskz_loadu_epi16(lanes, static_cast<const Bf16*>(pixel) + at);
}

}  // namespace

void turn_pixels(const Bf16Pixels& p, std::int64_t pitch) {
  for (std::int64_t step = 0; step < p.steps; ++step) {
    const void* const* pixels = p.pixels + step * kPixels;
    for (std::int64_t c = 0; c < p.channels; c += kSquare) {
      const std::int64_t left = min_i64(kSquare, p.channels - c);
      const auto lanes = static_cast<__mmask8>((1u << left) - 1);
      __m512i a[kSquare], b[kSquare];
#pragma GCC unroll 8
      for (int i = 0; i < kSquare; ++i) {
        a[i] = _mm512_castsi128_si512(load_channels(pixels[i], p.offset + c, lanes));
        a[i] = _mm512_inserti32x4(a[i], load_channels(pixels[kSquare + i], p.offset + c, lanes), 1);
        a[i] = _mm512_inserti32x4(a[i], load_channels(pixels[2 * kSquare + i], p.offset + c, lanes), 2);
        a[i] = _mm512_inserti32x4(a[i], load_channels(pixels[3 * kSquare + i], p.offset + c, lanes), 3);
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
      unsigned char* out = p.out + c * pitch + step * kPixels * static_cast<std::int64_t>(sizeof(Bf16));
#pragma GCC unroll 4
      for (int j = 0; j < kSquare / 2; ++j) {
        _mm512_storeu_si512(out + 2 * j * pitch, _mm512_unpacklo_epi64(a[j], a[j + 4]));
        _mm512_storeu_si512(out + (2 * j + 1) * pitch, _mm512_unpackhi_epi64(a[j], a[j + 4]));
      }
    }
  }
}

void pair_pixels(const Bf16Pixels& p, std::int64_t tiles) {
  unsigned char* out = p.out;
  constexpr std::int64_t kColumns = 16;
  const auto lanes = [&](std::int64_t tile) {
    const std::int64_t left = p.channels - tile * kColumns;
    return static_cast<__mmask16>(left >= kColumns ? 0xffffu : (1u << left) - 1);
  };
  for (std::int64_t step = 0; step < p.steps; ++step)
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const __mmask16 mask = lanes(tile);
      const std::int64_t at = p.offset + tile * kColumns;
      const void* const* pixels = p.pixels + step * kPixels;
      const auto widened = [&](int i) {
        return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, static_cast<const Bf16*>(pixels[i]) + at));
      };
#pragma GCC unroll 4
      for (int i = 0; i < kPixels; i += 2, out += sizeof(__m512i))
        _mm512_storeu_si512(out, _mm512_or_si512(widened(i), _mm512_slli_epi32(widened(i + 1), 16)));
    }
}

}  // namespace fastcnn::gemm::avx512

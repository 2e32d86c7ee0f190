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

// What a row of a window gives to a register of the gathered pixel: number n of the register is number n + offset of
// the row, where the mask says so.
struct Piece {
  std::int64_t row, offset;
  std::int64_t at;  // of that number, from the first of the window
  __mmask32 mask;
};

// Bits [begin, end) of 32, as far as there are such.
FC_INLINE __mmask32 bits(std::int64_t begin, std::int64_t end) {
  const auto below = [](std::int64_t n) { return (std::uint64_t{1} << min_i64(kPixels, max_i64(0, n))) - 1; };
  return static_cast<__mmask32>(below(end) & ~below(begin));
}

}  // namespace

void gather_windows(const Bf16WindowRows& p, std::int64_t first, std::int64_t count, Bf16* to, std::int64_t pitch) {
  const auto& [h, w] = p.window;
  const std::int64_t numbers = w.size * p.channels, registers = pitch / kPixels, row_pitch = p.width * p.channels;
  constexpr std::int64_t kMostPieces = 2 * kMostWindowRows;  // a row lies in one register, or in two
  Piece pieces[kMostPieces];
  std::int64_t last[kMostPieces], num_pieces = 0;  // of each register, the piece after its last
  for (std::int64_t r = 0; r < registers; ++r) {
    for (std::int64_t a = 0; a < h.size; ++a) {
      const std::int64_t offset = r * kPixels - a * numbers;
      const __mmask32 mask = bits(-offset, numbers - offset);
      if (mask != 0) pieces[num_pieces++] = {a, offset, a * h.dilation * row_pitch + offset, mask};
    }
    last[r] = num_pieces;
  }
  std::int64_t j = first % p.out_width, i = first / p.out_width % p.out_height;
  const Bf16* picture = p.x + first / p.out_width / p.out_height * p.height * row_pitch;
  for (std::int64_t k = 0; k < count;) {
    const std::int64_t top = h.start(i), left = w.start(j);
    const Bf16* from = picture + top * row_pitch + left * p.channels;
    // The next window, one register after the other.
    const auto gather = [&](const auto& load_piece) {
      for (std::int64_t r = 0; r < h.stride; ++r)  // what the window below adds
        __builtin_prefetch(from + (h.extent() + r) * row_pitch);
      for (std::int64_t r = 0, n = 0; r < registers; ++r) {
        __m512i all = _mm512_setzero_si512();
        for (; n < last[r]; ++n) all = load_piece(all, pieces[n]);
        _mm512_storeu_si512(to + r * kPixels, all);
      }
      to += pitch, from += w.stride * p.channels, ++j, ++k;
    };
    const bool rows_inside = top >= 0 && top + h.extent() <= p.height;
    const std::int64_t beyond = p.width - w.size - left;  // pixels right of the window
    if (rows_inside && left >= 0 && beyond >= 0) {
      // All windows of a line that lie inside have the same pieces.
      const std::int64_t end = k + min_i64(min_i64(count - k, p.out_width - j), beyond / w.stride + 1);
      while (k < end)
        gather(
            [&](__m512i all, const Piece& piece) { return _mm512_mask_loadu_epi16(all, piece.mask, from + piece.at); });
    } else {
      gather([&](__m512i all, const Piece& piece) {
        if (piece.row < h.first_tap(i) || piece.row >= h.last_tap(i, p.height)) return all;
        const __mmask32 there = bits(-left * p.channels - piece.offset, (p.width - left) * p.channels - piece.offset);
        return _mm512_mask_loadu_epi16(all, piece.mask & there, from + piece.at);
      });
    }
    if (j < p.out_width) continue;
    j = 0;
    if (++i < p.out_height) continue;
    i = 0, picture += p.height * row_pitch;
  }
}

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

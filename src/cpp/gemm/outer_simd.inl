// Computes   a micro-tile of C = A^T B, summed over pixels: rows x (vectors * width) floats (the contract:
//            outer_tile.h).
// Layout     A: a strip, or pixels where they lie, a tile's rows being neighbouring channels of one; B: a packed panel,
//            read front to back for each run of pixels.
// Tile       AVX-512 12 x 32: 24 accumulators + 2 of B + 1 broadcast of A = 27 of 32 registers: 14 loads for 24
//            multiply-adds. AVX2 6 x 16: 12 accumulators + 2 + 1 = 15 of 16: 8 loads for 12.
// Why        both operands are read along channels, as they lie: a pixel's 14 channels of A are one line or two, its
//            panel of B two. Few vectors and many rows leave B short enough for its panel to stay in L1. Tiles that
//            keep A copy it from the picture while they multiply: alone, the copy would wait for its stores' lines.
// Needs      nothing: fewer rows and fewer columns are instances of their own, the last columns of C are masked.
// Accuracy   a sum from zero over the pixels of a block, then one addition to C: the error grows with the pixels of a
//            block plus the number of blocks.
#include "gemm/outer_tile.h"
#include "simd/run.inl"

namespace fastcnn::gemm::FC_SIMD {
namespace {

using namespace fastcnn::FC_SIMD;

constexpr int kPitch = F32::width;

// What meets in a micro-tile: a number of A and a vector of B, in float32.
struct Numbers {
  static FC_INLINE F32 add(F32 sum, F32 a, F32 b) { return fma(a, b, sum); }
};

// Pixels that lie in a picture are called into L1 so long before they are read: a line of each, or two.
constexpr std::int64_t kPixelsAhead = 12;

template <int rows, int vectors, class Factors, bool keeps>
void outer_tile(const OuterTile& t) {
  constexpr int kWidth = F32::width;
  F32 acc[rows][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) acc[r][v] = zero();
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) __builtin_prefetch(t.c + r * t.c_stride + v * kWidth, 1);
  const std::int64_t step = t.a_step;
  const float* next = t.next;
  std::int64_t line = 0;
  [[maybe_unused]] float* kept = t.kept;
  for (std::int64_t run = 0; run < t.count; ++run) {
    const float* a = t.a + t.runs[run].a;
    const float* b = t.b + t.runs[run].b * (vectors * kWidth);
    for (std::int64_t k = t.runs[run].length; k > 0; --k) {
      F32 bv[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) bv[v] = load(b + v * kWidth);
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const F32 av = set(a[r]);
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) acc[r][v] = Factors::add(acc[r][v], av, bv[v]);
      }
      if constexpr (keeps) {
        store(kept, load(a, rows));
        kept += t.kept_step;
        _mm_prefetch(reinterpret_cast<const char*>(a + kPixelsAhead * step), _MM_HINT_T0);
      }
      _mm_prefetch(reinterpret_cast<const char*>(next + line * (64 / sizeof(float))), _MM_HINT_T1);
      if (++line == t.next_lines) line = 0, next += t.next_step;
      a += step;
      b += vectors * kWidth;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      float* c = t.c + r * t.c_stride + v * kWidth;
      const std::int64_t lanes = v + 1 < vectors ? kWidth : t.columns - v * kWidth;
      F32 sum = acc[r][v];
      if (t.accumulate) sum = sum + load(c, lanes);
      store(c, sum, lanes);
    }
}

template <class Factors, bool keeps, int... rows>
constexpr OuterTiles outer_tiles() {
  return {{{outer_tile<rows, 1, Factors, keeps>, outer_tile<rows, 2, Factors, keeps>}...}};
}

// A strip's channels are loaded as one register, but for those that would go beyond the pixel.
[[maybe_unused]] void pack_strips(const OuterStrips& p) {
  const float* from = p.from;
  for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel, from += p.step) {
    float* to = p.to + pixel * kPitch;
    std::int64_t channel = 0;
    for (std::int64_t strip = 0; strip < p.strips; ++strip, to += p.strip_floats) {
      store(to, channel + kPitch <= p.channels ? load(from + channel) : load(from + channel, p.channels - channel));
      channel += p.rows - (strip < p.first ? 0 : 1);
    }
  }
}

[[maybe_unused]] void pack_panels(const OuterPanels& p) {
  constexpr int kWidth = F32::width, kPanel = kMaxOuterVectors * kWidth;
  const float* from = p.from;
  for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel, from += p.step) {
    std::int64_t n = 0;
    float* to = p.to;
    for (; n + kWidth < p.columns; n += kPanel, to += p.panel_floats) {
      float* row = to + pixel * kPanel;
      store(row, load(from + n, p.columns - n));
      store(row + kWidth, load(from + n + kWidth, p.columns - n - kWidth));
    }
    if (n < p.columns) store(to + pixel * kWidth, load(from + n, p.columns - n));
  }
}

// One register of each of `count` parts, added up two by two.
template <class Lanes>
FC_INLINE F32 sum_register(const float* from, std::int64_t stride, std::int64_t count, Lanes lanes) {
  F32 even = zero(), odd = zero();
  std::int64_t k = 0;
  for (; k + 1 < count; k += 2) {
    even = even + load(from + k * stride, lanes);
    odd = odd + load(from + (k + 1) * stride, lanes);
  }
  if (k < count) even = even + load(from + k * stride, lanes);
  return even + odd;
}

void sum_parts(const float* from, std::int64_t stride, std::int64_t count, float* to, std::int64_t size) {
  each_register(
      size, [&](std::int64_t i, auto lanes) { store(to + i, sum_register(from + i, stride, count, lanes), lanes); });
}

[[maybe_unused]] void sum_turned(const OuterTurn& t) {
  constexpr int kWidth = F32::width;
  for (std::int64_t column = 0; column < t.columns; column += kWidth) {
    const Part columns{min_i64(kWidth, t.columns - column)};
    F32 square[kWidth];
    for (int r = 0; r < kWidth; ++r)
      square[r] = r < t.rows ? sum_register(t.from + r * t.columns + column, t.stride, t.count, columns) : zero();
    transpose(square);
    for (int c = 0; c < kWidth; ++c)
      if (c < columns.lanes) store(t.to + (column + c) * t.to_stride, square[c], t.rows);
  }
}

}  // namespace
}  // namespace fastcnn::gemm::FC_SIMD

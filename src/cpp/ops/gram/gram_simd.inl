// Computes   the Gram matrix of a picture's channels (the contract: gram.h).
// Layout     NHWC in. Pixels are packed in blocks of 128: packed[block][panel][pixel][64 channels]. One panel serves
//            both sides of the product.
// Tile       `rows` channels (a broadcast each) x `vectors` registers of channels, summed over a block of pixels:
//            6 x 4, 8 x 3, 8 x 2 or 8 x 1 accumulators on AVX-512 + up to 4 + 1; 6 x 2 or 8 x 1 + 2 + 1 on AVX2.
// Why        an outer product needs no transposition: a pixel's channels are neighbours. Only the half on and above the
//            diagonal is computed, in bands of 16 rows, so that the diagonal wastes half a band and not half a panel:
//            there the tile is narrower. The panel being swept stays in L1 beside its band.
// Needs      nothing: channels are padded with zeros when they are packed.
// Accuracy   fused chains of 128 pixels, added in order: well below one chain over all pixels.
#include "ops/gram/gram.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr int kWidth = F32::width;
constexpr int kPanelVectors = static_cast<int>(kGramPanel) / kWidth;
constexpr int kMaxVectors = F32::registers == 32 ? 4 : 2;
constexpr std::int64_t kBand = 16;

// sum[r][...] (+)= sum over a block's pixels of a[pixel][r] b[pixel][...]. Both lie in panels.
template <int rows, int vectors>
FC_INLINE void tile(const float* a, const float* b, std::int64_t step, std::int64_t pixels, bool first, float* sum,
                    std::int64_t pitch) {
  F32 part[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) part[r][v] = zero();
  for (std::int64_t p = 0; p < pixels; ++p, a += step, b += step) {
    F32 x[vectors];
    for (int v = 0; v < vectors; ++v) x[v] = load(b + v * kWidth);
    for (int r = 0; r < rows; ++r) {
      const F32 y = set(a[r]);
      for (int v = 0; v < vectors; ++v) part[r][v] = fma(y, x[v], part[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      float* to = sum + r * pitch + v * kWidth;
      store(to, first ? part[r][v] : load(to) + part[r][v]);
    }
}

// All rows of a band, `rows` at a time.
template <int rows, int vectors>
FC_INLINE void band(const float* a, const float* b, std::int64_t step, std::int64_t pixels, bool first, float* sum,
                    std::int64_t pitch) {
  constexpr int kWhole = static_cast<int>(kBand) / rows * rows, kRest = static_cast<int>(kBand) - kWhole;
  for (int r = 0; r < kWhole; r += rows) tile<rows, vectors>(a + r, b, step, pixels, first, sum + r * pitch, pitch);
  if constexpr (kRest > 0) tile<kRest, vectors>(a + kWhole, b, step, pixels, first, sum + kWhole * pitch, pitch);
}

// The vectors [v, end) of one panel.
FC_INLINE void panel(const float* a, const float* b, std::int64_t step, int v, int end, std::int64_t pixels, bool first,
                     float* sum, std::int64_t pitch) {
  while (v < end) {
    const int n = end - v < kMaxVectors ? end - v : kMaxVectors;
    const float* from = b + v * kWidth;
    float* to = sum + v * kWidth;
    if constexpr (kMaxVectors == 4) {
      if (n == 4) band<6, 4>(a, from, step, pixels, first, to, pitch);
      if (n == 3) band<8, 3>(a, from, step, pixels, first, to, pitch);
    }
    if (n == 2) band<kMaxVectors == 4 ? 8 : 6, 2>(a, from, step, pixels, first, to, pitch);
    if (n == 1) band<8, 1>(a, from, step, pixels, first, to, pitch);
    v += n;
  }
}

// The sums of one block, packed or (of one panel) as it lies, `step` floats from pixel to pixel, for the band that
// starts at `row`, from the diagonal on.
FC_INLINE void band_of_block(const GramSplit& s, const float* block, std::int64_t step, std::int64_t row,
                             std::int64_t pixels, bool first, float* sums) {
  const std::int64_t own = row / kGramPanel * kGramPanel;
  const float* a = block + own * kGramBlock + (row - own);
  for (std::int64_t j = own; j < s.channels; j += kGramPanel) {
    const int start = j == own ? static_cast<int>((row - own) / kWidth) : 0;
    const int end = static_cast<int>(min_i64(kPanelVectors, ceil_div(s.channels - j, kWidth)));
    panel(a, block + j * kGramBlock, step, start, end, pixels, first, sums + row * s.padded + j, s.padded);
  }
}

// Packs pixels [0, n) of x, n <= kGramBlock.
FC_INLINE void pack_block(const float* x, std::int64_t n, const GramSplit& s, float* packed) {
  for (std::int64_t c = 0; c < s.padded; c += kGramPanel) {
    float* to = packed + c * kGramBlock;
    for (std::int64_t p = 0; p < n; ++p)
      for (int v = 0; v < kPanelVectors; ++v)
        store(to + p * kGramPanel + v * kWidth, load(x + p * s.channels + c + v * kWidth, s.channels - c - v * kWidth));
  }
}

FC_INLINE std::int64_t block_pixels(const GramSplit& s, std::int64_t block) {
  return max_i64(0, min_i64(kGramBlock, s.pixels - block * kGramBlock));
}

FC_INLINE void sum_few_channels(const GramSplit& s, const float* x, float* sums) {
  const bool as_it_lies = s.channels <= kGramPanel && s.channels % kWidth == 0;
  parallel_for(s.slices, [&](std::int64_t slice) {
    alignas(64) float packed[kGramFew * kGramBlock];
    std::int64_t b = slice;
    do {
      const std::int64_t n = block_pixels(s, b);
      const float* block = x + b * kGramBlock * s.channels;
      if (!as_it_lies) {
        pack_block(block, n, s, packed);
        block = packed;
      }
      for (std::int64_t row = 0; row < s.channels; row += kBand)
        band_of_block(s, block, as_it_lies ? s.channels : kGramPanel, row, n, b == slice,
                      sums + slice * s.padded * s.padded);
      b += s.slices;
    } while (b * kGramBlock < s.pixels);
  });
}

FC_INLINE void sum_many_channels(const GramSplit& s, const float* x, float* sums, float* packed) {
  const std::int64_t blocks = max_i64(1, ceil_div(s.pixels, kGramBlock)), bands = ceil_div(s.channels, kBand);
  for (std::int64_t begin = 0; begin < blocks; begin += s.group) {
    const std::int64_t end = min_i64(blocks, begin + s.group);
    parallel_for(end - begin, [&](std::int64_t i) {
      pack_block(x + (begin + i) * kGramBlock * s.channels, block_pixels(s, begin + i), s,
                 packed + i * kGramBlock * s.padded);
    });
    // The first bands are the longest: they start first.
    parallel_for(bands * s.slices, [&](std::int64_t task) {
      const std::int64_t row = task / s.slices * kBand, slice = task % s.slices;
      for (std::int64_t b = begin + slice; b < end; b += s.slices)
        band_of_block(s, packed + (b - begin) * kGramBlock * s.padded, kGramPanel, row, block_pixels(s, b), b == slice,
                      sums + slice * s.padded * s.padded);
    });
  }
}

// y[i][j] = y[j][i] for j < i and i in [first, last); first is a multiple of the vector's width.
FC_INLINE void mirror_rows(float* y, std::int64_t c, std::int64_t first, std::int64_t last) {
  for (std::int64_t i = first; i < last; i += kWidth) {
    const std::int64_t rows = min_i64(kWidth, c - i);
    for (std::int64_t j = 0; j < i; j += kWidth) {
      F32 square[kWidth];
      for (int r = 0; r < kWidth; ++r) square[r] = load(y + (j + r) * c + i, rows);
      transpose(square);
      for (int r = 0; r < kWidth; ++r)
        if (r < rows) store(y + (i + r) * c + j, square[r]);
    }
    for (std::int64_t r = i; r < i + rows; ++r)
      for (std::int64_t j = i; j < r; ++j) y[r * c + j] = y[j * c + r];
  }
}

}  // namespace

void gram_matrix(const KernelArgs& args) {
  const GramSplit s = split_gram(args.in[0].shape());
  const F32 scale = set(args.problem.as<GramParams>().scale);
  const std::int64_t c = s.channels, square = s.padded * s.padded;
  auto* sums = static_cast<float*>(args.workspace);

  for (std::int64_t n = 0; n < args.in[0].shape()[0]; ++n) {
    const float* x = args.in[0].as<float>() + n * s.pixels * c;
    float* y = args.out[0].as<float>() + n * c * c;
    if (s.group == 0)
      sum_few_channels(s, x, sums);
    else
      sum_many_channels(s, x, sums, sums + s.slices * square);
    // The slices in order, scaled; then the other half.
    parallel_ranges(c, 64, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = i / kWidth * kWidth; j < c; j += kWidth) {
          const float* from = sums + i * s.padded + j;
          F32 sum = load(from);
          for (std::int64_t k = 1; k < s.slices; ++k) sum = sum + load(from + k * square);
          store(y + i * c + j, sum * scale, c - j);
        }
    });
    parallel_ranges(c, 64, [&](std::int64_t first, std::int64_t last) { mirror_rows(y, c, first, last); });
  }
}

}  // namespace fastcnn::FC_SIMD

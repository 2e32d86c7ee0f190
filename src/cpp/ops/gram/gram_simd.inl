// Computes   the Gram matrix of a picture's channels (the contract: gram.h).
// Layout     NHWC in. Pixels are packed in blocks of 256, block after block, each as panels of 64 channels:
//            packed[block][panel][pixel][64]. One panel serves both sides of the product.
// Tile       `rows` channels (a broadcast each) x `vectors` registers of channels, summed over a block of pixels:
//            6 x 4, 8 x 3, 8 x 2 or 16 x 1 accumulators on AVX-512 + up to 4 + 1; 6 x 2 or 8 x 1 + 2 + 1 on AVX2.
// Why        an outer product needs no transposition: a pixel's channels are neighbours. Only the half on and above the
//            diagonal is computed, in bands of 16 (8) rows, so that the diagonal wastes half a band and not half a
//            panel: there the tile is narrower and higher. The panel being swept stays in L2 beside its band.
// Needs      nothing: channels are padded with zeros when they are packed.
// Accuracy   fused chains of 256 pixels, added in order: well below one chain over all pixels.
#include "ops/gram/gram.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr int kWidth = F32::width;
constexpr int kPanelVectors = static_cast<int>(kGramPanel) / kWidth;
constexpr int kMaxVectors = F32::registers == 32 ? 4 : 2;
constexpr std::int64_t kBand = F32::width;

// sum[r][...] (+)= sum over a block's pixels of a[pixel][r] b[pixel][...]. Both lie in panels.
template <int rows, int vectors>
FC_INLINE void tile(const float* a, const float* b, std::int64_t pixels, bool first, float* sum, std::int64_t pitch) {
  F32 part[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) part[r][v] = zero();
  for (std::int64_t p = 0; p < pixels; ++p, a += kGramPanel, b += kGramPanel) {
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
FC_INLINE void band(const float* a, const float* b, std::int64_t pixels, bool first, float* sum, std::int64_t pitch) {
  constexpr int kWhole = static_cast<int>(kBand) / rows * rows, kRest = static_cast<int>(kBand) - kWhole;
  for (int r = 0; r < kWhole; r += rows) tile<rows, vectors>(a + r, b, pixels, first, sum + r * pitch, pitch);
  if constexpr (kRest > 0) tile<kRest, vectors>(a + kWhole, b, pixels, first, sum + kWhole * pitch, pitch);
}

// The vectors [v, kPanelVectors) of one panel.
FC_INLINE void panel(const float* a, const float* b, int v, std::int64_t pixels, bool first, float* sum,
                     std::int64_t pitch) {
  while (v < kPanelVectors) {
    const int n = kPanelVectors - v < kMaxVectors ? kPanelVectors - v : kMaxVectors;
    const float* from = b + v * kWidth;
    float* to = sum + v * kWidth;
    if constexpr (kMaxVectors == 4) {
      if (n == 4) band<6, 4>(a, from, pixels, first, to, pitch);
      if (n == 3) band<8, 3>(a, from, pixels, first, to, pitch);
      if (n == 2) band<8, 2>(a, from, pixels, first, to, pitch);
      if (n == 1) band<16, 1>(a, from, pixels, first, to, pitch);
    } else {
      if (n == 2) band<4, 2>(a, from, pixels, first, to, pitch);
      if (n == 1) band<8, 1>(a, from, pixels, first, to, pitch);
    }
    v += n;
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

}  // namespace

void gram_matrix(const KernelArgs& args) {
  const GramSplit s = split_gram(args.in[0].shape());
  const F32 scale = set(args.problem.as<GramParams>().scale);
  const std::int64_t c = s.channels, bands = ceil_div(c, kBand), square = s.padded * s.padded;
  auto* sums = static_cast<float*>(args.workspace);
  float* packed = sums + s.slices * square;

  for (std::int64_t n = 0; n < args.in[0].shape()[0]; ++n) {
    const float* x = args.in[0].as<float>() + n * s.pixels * c;
    float* y = args.out[0].as<float>() + n * c * c;
    for (std::int64_t begin = 0; begin == 0 || begin < s.pixels; begin += s.group) {
      const std::int64_t pixels = min_i64(s.group, s.pixels - begin), blocks = ceil_div(pixels, kGramBlock);
      parallel_for(blocks, [&](std::int64_t b) {
        const std::int64_t from = b * kGramBlock;
        pack_block(x + (begin + from) * c, min_i64(kGramBlock, pixels - from), s, packed + from * s.padded);
      });
      // Block b of a group belongs to slice b % slices. The first bands are the longest: they start first.
      parallel_for(bands * s.slices, [&](std::int64_t task) {
        const std::int64_t row = task / s.slices * kBand, slice = task % s.slices, own = row / kGramPanel * kGramPanel;
        float* sum = sums + slice * square + row * s.padded;
        const std::int64_t end = begin == 0 ? max_i64(blocks, s.slices) : blocks;
        for (std::int64_t b = slice; b < end; b += s.slices) {
          const std::int64_t count = max_i64(0, min_i64(kGramBlock, pixels - b * kGramBlock));
          const float* block = packed + b * kGramBlock * s.padded;
          const bool first = begin == 0 && b == slice;
          const float* a = block + own * kGramBlock + (row - own);
          for (std::int64_t j = own; j < s.padded; j += kGramPanel)
            panel(a, block + j * kGramBlock, j == own ? static_cast<int>((row - own) / kWidth) : 0, count, first,
                  sum + j, s.padded);
        }
      });
    }
    // The slices in order, scaled; then the other half.
    parallel_ranges(c, 16, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = i / kWidth * kWidth; j < c; j += kWidth) {
          const float* from = sums + i * s.padded + j;
          F32 sum = load(from);
          for (std::int64_t k = 1; k < s.slices; ++k) sum = sum + load(from + k * square);
          store(y + i * c + j, sum * scale, c - j);
        }
    });
    parallel_ranges(c, 16, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = 0; j < i; ++j) y[i * c + j] = y[j * c + i];
    });
  }
}

}  // namespace fastcnn::FC_SIMD

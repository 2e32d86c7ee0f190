// Computes   lines of depthwise_conv2d_int8 (the contract: depthwise_conv2d_int8.h).
// Layout     NHWC; the bytes of four rows of the window are interleaved, so that a register holds four taps of 16
//            channels.
// Tile       64 channels of a line: 4 registers of interleaved bytes, and 4 of sums for each of the output pixels whose
//            windows see a column; of windows of one group of rows and 3 columns the weights stay in 12 more.
// Why        each column is interleaved once for all outputs of the line, which are shifted through the registers: a
//            line may have any number of pixels. Packing the results undoes the order that interleaving leaves.
// Needs      AVX512-VNNI; weights packed by depthwise_conv2d_int8_pack.
// Accuracy   exact sums.
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"
#include "simd/int8_avx512.h"
#include "simd/math.inl"

namespace fastcnn::avx512vnni {
namespace {

using fastcnn::avx512::F32;
using fastcnn::avx512::load;
using fastcnn::avx512::set;

constexpr int kTiles = kDepthwiseBlock / 16;

struct Block {
  std::int64_t first;  // channel
  __mmask64 real;
  const unsigned char* packed;
  const Int8Columns* columns;
};

// Columns of the picture one after the other, of `groups` times four rows.
template <int groups>
class Columns {
 public:
  Columns(const DepthwiseLine& line, const Block& block, std::int64_t first)
      : column_(first), count_(line.columns), real_(block.real), outside_(_mm512_set1_epi8(line.zero)) {
    for (int r = 0; r < 4 * groups; ++r) {
      step_[r] = line.steps[r];
      at_[r] = line.rows[r] + first * step_[r] + block.first;
    }
  }

  // Of each group row r to byte r of each channel.
  FC_INLINE void next(__m512i (&taps)[groups][kTiles]) {
    const bool inside = column_ >= 0 && column_ < count_;
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g)
      if (inside)
        interleave(at_ + 4 * g, taps[g]);
      else
        for (int t = 0; t < kTiles; ++t) taps[g][t] = outside_;
#pragma GCC unroll 8
    for (int r = 0; r < 4 * groups; ++r) at_[r] += step_[r];
    ++column_;
  }

 private:
  FC_INLINE void interleave(const unsigned char* const* rows, __m512i (&taps)[kTiles]) const {
    __m512i row[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) row[r] = _mm512_maskz_loadu_epi8(real_, rows[r]);
    const __m512i lower01 = _mm512_unpacklo_epi8(row[0], row[1]), upper01 = _mm512_unpackhi_epi8(row[0], row[1]);
    const __m512i lower23 = _mm512_unpacklo_epi8(row[2], row[3]), upper23 = _mm512_unpackhi_epi8(row[2], row[3]);
    taps[0] = _mm512_unpacklo_epi16(lower01, lower23), taps[1] = _mm512_unpackhi_epi16(lower01, lower23);
    taps[2] = _mm512_unpacklo_epi16(upper01, upper23), taps[3] = _mm512_unpackhi_epi16(upper01, upper23);
  }

  std::int64_t column_, count_;
  __mmask64 real_;
  __m512i outside_;
  const unsigned char* at_[4 * groups];
  std::int64_t step_[4 * groups];
};

FC_INLINE void store_pixel(const Int8Finish& f, const Block& block, const __m512i (&sum)[kTiles], std::uint8_t* y) {
  __m512i q[kTiles];
#pragma GCC unroll 4
  for (int t = 0; t < kTiles; ++t) {
    const Int8Columns& columns = block.columns[t / 2];
    const F32 number = {_mm512_cvtepi32_ps(sum[t])};
    F32 v = fma(number, load(columns.scale + t % 2 * 16), load(columns.bias + t % 2 * 16));
    if (f.kind == Int8Finish::Leaky) v = max(v * set(f.epilogue.alpha), v) + set(f.zero_point);
    if (f.kind == Int8Finish::Any) {
      fastcnn::avx512::with_activation(f.epilogue.activation, [&](auto k) {
        v = fastcnn::avx512::activate<decltype(k)::kind>(v, f.epilogue.alpha);
      });
      v = fma(v, set(f.inverse), set(f.zero_point));
    }
    q[t] = _mm512_cvtps_epi32(min(set(f.high), v).v);  // what is below 0 is stored as 0
  }
  const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
  _mm512_mask_storeu_epi8(y, block.real, bytes);
}

// `groups` of four rows of a window that is `width` columns wide.
template <int groups, int width, int stride>
void convolve(const DepthwiseLine& line, const Block& block) {
  constexpr int kSeen = (width + stride - 1) / stride;  // outputs that see a column
  const auto weights_at = [&](int g, int b, int t) {
    return _mm512_loadu_si512(block.packed + ((b * groups + g) * kTiles + t) * 64);
  };
  constexpr bool kKept = groups * width <= 3;
  __m512i kept[kKept ? width : 1][kTiles];
  if constexpr (kKept)
    for (int b = 0; b < width; ++b)
      for (int t = 0; t < kTiles; ++t) kept[b][t] = weights_at(0, b, t);

  // Sums of the output pixels j ... j + kSeen - 1. The first steps are for pixels before the line, which are dropped.
  __m512i sums[kSeen][kTiles];
  const auto start = [&](__m512i(&sum)[kTiles]) {
    for (int t = 0; t < kTiles; ++t) sum[t] = _mm512_load_si512(block.columns[t / 2].start + t % 2 * 16);
  };
#pragma GCC unroll 7
  for (int d = 0; d < kSeen; ++d) start(sums[d]);
  Columns<groups> columns(line, block, -line.before + (1 - kSeen) * stride + width - stride);
  std::uint8_t* y = line.y + block.first;
  for (std::int64_t j = 1 - kSeen; j < line.pixels; ++j) {
#pragma GCC unroll 2
    for (int k = 0; k < stride; ++k) {
      __m512i taps[groups][kTiles];
      columns.next(taps);
#pragma GCC unroll 7
      for (int d = 0; d < kSeen; ++d) {
        const int b = width - stride + k - d * stride;
        if (b < 0) continue;
#pragma GCC unroll 2
        for (int g = 0; g < groups; ++g)
#pragma GCC unroll 4
          for (int t = 0; t < kTiles; ++t)
            sums[d][t] = _mm512_dpbusd_epi32(sums[d][t], taps[g][t], kKept ? kept[b][t] : weights_at(g, b, t));
      }
    }
    if (j >= 0) {
      store_pixel(*line.finish, block, sums[0], y);
      y += line.channels;
    }
#pragma GCC unroll 7
    for (int d = 0; d + 1 < kSeen; ++d)
#pragma GCC unroll 4
      for (int t = 0; t < kTiles; ++t) sums[d][t] = sums[d + 1][t];
    start(sums[kSeen - 1]);
  }
}

template <int groups, int width>
void convolve_blocks(const DepthwiseLine& line) {
  const DepthwiseInt8Packing packing{4 * groups, width, line.channels};
  for (std::int64_t b = 0; b < packing.blocks(); ++b) {
    const std::int64_t first = b * kDepthwiseBlock;
    const Block block{first, fastcnn::avx512::detail::first_bytes(line.channels - first),
                      line.packed + b * packing.block_bytes(), line.blocks + 2 * b};
    line.stride == 1 ? convolve<groups, width, 1>(line, block) : convolve<groups, width, 2>(line, block);
  }
}

}  // namespace

void depthwise_line(const DepthwiseLine& line) {
  if (line.width == 3)
    convolve_blocks<1, 3>(line);
  else if (line.width == 5)
    convolve_blocks<2, 5>(line);
  else
    convolve_blocks<2, 7>(line);
}

}  // namespace fastcnn::avx512vnni

// Computes   lines of depthwise_conv2d_int8 (the contract: depthwise_conv2d_int8.h).
// Layout     NHWC; the bytes of four rows of the window are interleaved, so that a register holds four taps of 16
//            channels.
// Tile       64 channels x 4 output pixels: 16 registers of sums, 4 of interleaved bytes, 4 of rows.
// Why        an interleaved column of the window serves all outputs of the tile that see it; packing the results undoes
//            the order that interleaving leaves.
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

struct Block {
  std::int64_t first, count;  // channels
  const unsigned char* packed;
  const Int8Columns* columns;
};

FC_INLINE __m512i load_bytes(const unsigned char* p, __mmask64 real) { return _mm512_maskz_loadu_epi8(real, p); }

// Bytes of a column of the window: row r of the group to byte r of each channel.
FC_INLINE void interleave(const unsigned char* x, std::int64_t line_bytes, std::int64_t rows, __mmask64 real,
                          __m512i (&taps)[4]) {
  const __m512i r0 = load_bytes(x, real), none = _mm512_setzero_si512();
  const __m512i r1 = rows > 1 ? load_bytes(x + line_bytes, real) : none;
  const __m512i r2 = rows > 2 ? load_bytes(x + 2 * line_bytes, real) : none;
  const __m512i r3 = rows > 3 ? load_bytes(x + 3 * line_bytes, real) : none;
  const __m512i lower01 = _mm512_unpacklo_epi8(r0, r1), upper01 = _mm512_unpackhi_epi8(r0, r1);
  const __m512i lower23 = _mm512_unpacklo_epi8(r2, r3), upper23 = _mm512_unpackhi_epi8(r2, r3);
  taps[0] = _mm512_unpacklo_epi16(lower01, lower23), taps[1] = _mm512_unpackhi_epi16(lower01, lower23);
  taps[2] = _mm512_unpacklo_epi16(upper01, upper23), taps[3] = _mm512_unpackhi_epi16(upper01, upper23);
}

FC_INLINE void store_pixel(const Int8Finish& f, const Block& block, __mmask64 real, const __m512i (&sum)[4],
                           std::uint8_t* y) {
  __m512i q[4];
#pragma GCC unroll 4
  for (int t = 0; t < 4; ++t) {
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
  _mm512_mask_storeu_epi8(y, real, bytes);
}

template <int pixels>
FC_INLINE void convolve(const DepthwiseLine& line, const Block& block, std::int64_t j) {
  const __mmask64 real = fastcnn::avx512::detail::first_bytes(block.count);
  __m512i sum[pixels][4];
#pragma GCC unroll 4
  for (int p = 0; p < pixels; ++p)
#pragma GCC unroll 4
    for (int t = 0; t < 4; ++t) sum[p][t] = _mm512_load_si512(block.columns[t / 2].start + t % 2 * 16);
  const std::int64_t groups = ceil_div(line.height, 4), columns = (pixels - 1) * line.stride + line.width;
  const unsigned char* x = line.rows + j * line.stride * line.channels + block.first;
  for (std::int64_t c = 0; c < columns; ++c, x += line.channels)
    for (std::int64_t g = 0; g < groups; ++g) {
      __m512i taps[4];
      interleave(x + 4 * g * line.line_bytes, line.line_bytes, line.height - 4 * g, real, taps);
#pragma GCC unroll 4
      for (int p = 0; p < pixels; ++p) {
        const std::int64_t b = c - p * line.stride;
        if (b < 0 || b >= line.width) continue;
        const unsigned char* weights = block.packed + (b * groups + g) * 4 * kDepthwiseBlock;
#pragma GCC unroll 4
        for (int t = 0; t < 4; ++t)
          sum[p][t] = _mm512_dpbusd_epi32(sum[p][t], taps[t], _mm512_loadu_si512(weights + t * 64));
      }
    }
#pragma GCC unroll 4
  for (int p = 0; p < pixels; ++p)
    store_pixel(*line.finish, block, real, sum[p], line.y + (j + p) * line.channels + block.first);
}

}  // namespace

void depthwise_line(const DepthwiseLine& line) {
  const DepthwiseInt8Packing packing{line.height, line.width, line.channels};
  for (std::int64_t b = 0; b < packing.blocks(); ++b) {
    const std::int64_t first = b * kDepthwiseBlock;
    const Block block{first, min_i64(kDepthwiseBlock, line.channels - first), line.packed + b * packing.block_bytes(),
                      line.columns + 2 * b};
    std::int64_t j = 0;
    for (; j + 4 <= line.pixels; j += 4) convolve<4>(line, block, j);
    for (; j < line.pixels; ++j) convolve<1>(line, block, j);
  }
}

}  // namespace fastcnn::avx512vnni

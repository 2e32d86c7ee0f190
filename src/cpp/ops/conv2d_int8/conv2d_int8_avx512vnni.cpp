// Computes   blocks of conv2d_int8's matrix product with AVX512-VNNI (the contract: conv2d_int8.h).
// Layout     rows of bytes, in the picture itself or copied; weights by four neighbouring terms of a column.
// Tile       14 x 32: 28 registers of sums + 2 of weights + 1 broadcast of four terms = 31 of 32; of a line of the
//            picture, or of two.
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

// Windows of few codes, of a network's first layer: those of a line that lie inside are a register each, into which
// their rows are loaded one after the other.
void copy_short_windows(const CodeWindows& p, std::int64_t first, std::int64_t count, std::uint8_t* to,
                        std::int64_t pitch) {
  const auto& [h, w] = p.window;
  const std::int64_t run = w.size * p.channels, row_pitch = p.width * p.channels;
  const std::uint64_t row_mask = ~std::uint64_t{0} >> (kInt8Step - run);
  std::int64_t j = first % p.out_width, i = first / p.out_width % p.out_height, n = first / p.out_width / p.out_height;
  for (std::int64_t k = 0; k < count;) {
    const std::int64_t top = h.start(i), left = w.start(j), beyond = p.width - w.size - left;
    std::int64_t windows = 1;
    if (top >= 0 && top + h.extent() <= p.height && left >= 0 && beyond >= 0) {
      windows = min_i64(min_i64(count - k, p.out_width - j), beyond / w.stride + 1);
      const std::uint8_t* from = p.x + (n * p.height + top) * row_pitch + left * p.channels;
      for (std::int64_t window = 0; window < windows; ++window, from += w.stride * p.channels) {
        __m512i codes = _mm512_setzero_si512();
        const std::uint8_t* row = from;  // less what comes before it in the register
        for (std::int64_t a = 0; a < h.size; ++a, row += h.dilation * row_pitch - run)
          codes = _mm512_mask_loadu_epi8(codes, row_mask << (a * run), row);
        _mm512_storeu_si512(to + window * pitch, codes);
      }
    } else {
      copy_windows(p, first + k, 1, to, pitch);
    }
    to += windows * pitch, k += windows, j += windows;
    if (j < p.out_width) continue;
    j = 0;
    if (++i == p.out_height) i = 0, ++n;
  }
}

void copy(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch) {
  const auto& [h, w] = windows.window;
  const std::int64_t codes = h.size * w.size * windows.channels;
  const bool few = codes > 0 && codes <= kInt8Step && w.dilation == 1;
  (few ? copy_short_windows : copy_windows<std::uint8_t>)(windows, first, count, static_cast<std::uint8_t*>(to), pitch);
}

constexpr int kRows = 14, kHalves = 2;  // of a micro-tile; of a panel, 16 columns each

constexpr int kGroup = 4, kGroups = kInt8Step / kGroup;  // neighbours of a sum, and those of a step

struct Codes {
  using Sum = __m512i;
  static FC_INLINE Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

// What is called in: so many bytes with each step, all at once they would take every fill buffer from rows and weights.
struct Ahead {
  const char* next;
  std::int64_t bytes;
};

// `rows` rows of each of `tiles` lines.
template <int tiles, int rows>
void multiply_rows(const Int8Factors& f, std::int64_t first, Ahead ahead, std::int32_t* sums) {
  __m512i sum[tiles * rows][kHalves];
#pragma GCC unroll 14
  for (int r = 0; r < tiles * rows; ++r)
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) sum[r][half] = _mm512_loadu_si512(f.start + 16 * half);
  const unsigned char* row[tiles];
  for (int t = 0; t < tiles; ++t) {
    const std::int64_t at = first + t * rows;
    row[t] = static_cast<const unsigned char*>(f.a) + at * f.pitch + at / f.line * f.gap;
  }
  const auto* b = static_cast<const unsigned char*>(f.panel);
  int left = kGroups;  // of the step of b, in which a run may begin and end anywhere
  for (std::int64_t tap = 0; tap < f.taps; ++tap) {
    for (std::int64_t k = 0; k < f.run;) {
      const unsigned char* a[tiles];
      for (int t = 0; t < tiles; ++t) a[t] = row[t] + k;
      const int groups = static_cast<int>(min_i64(left, ceil_div(f.run - k, kGroup)));
      dot_step<Codes>(sum, a, f.pitch, b, kInt8Step * 16, groups);
      k += groups * kGroup;
      b += groups * 64;
      left -= groups;
      if (left == 0) b += (kHalves - 1) * kInt8Step * 16, left = kGroups;
      for (std::int64_t i = 0; i < ahead.bytes; i += 64) _mm_prefetch(ahead.next + i, _MM_HINT_T1);
      ahead.next += ahead.bytes;
    }
    for (int t = 0; t < tiles; ++t) row[t] += f.tap_pitch;
  }
  sums += (first - f.first) * kInt8Columns;
#pragma GCC unroll 14
  for (int r = 0; r < tiles * rows; ++r)
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) _mm512_storeu_si512(sums + r * kInt8Columns + 16 * half, sum[r][half]);
}

using MultiplyRows = void (*)(const Int8Factors&, std::int64_t, Ahead, std::int32_t*);
constexpr MultiplyRows kOneLine[kRows] = {
    multiply_rows<1, 1>,  multiply_rows<1, 2>,  multiply_rows<1, 3>,  multiply_rows<1, 4>, multiply_rows<1, 5>,
    multiply_rows<1, 6>,  multiply_rows<1, 7>,  multiply_rows<1, 8>,  multiply_rows<1, 9>, multiply_rows<1, 10>,
    multiply_rows<1, 11>, multiply_rows<1, 12>, multiply_rows<1, 13>, multiply_rows<1, 14>};
constexpr MultiplyRows kTwoLines[kRows / 2] = {multiply_rows<2, 1>, multiply_rows<2, 2>, multiply_rows<2, 3>,
                                               multiply_rows<2, 4>, multiply_rows<2, 5>, multiply_rows<2, 6>,
                                               multiply_rows<2, 7>};

void multiply(const Int8Factors& f, std::int32_t* sums) {
  const std::int64_t steps = f.taps * ceil_div(f.run, kInt8Step);
  Ahead ahead{static_cast<const char*>(f.next), 0};
  for (std::int64_t row = f.first, end = f.first + f.rows; row < end;) {
    const std::int64_t in_line = min_i64(f.line - row % f.line, end - row);
    const bool two = 2 * f.line <= kRows && in_line == f.line && end - row >= 2 * f.line;
    // As even as can be: sums of two rows would wait for themselves.
    const std::int64_t rows = two ? 2 * f.line : ceil_div(in_line, ceil_div(in_line, kRows));
    ahead.bytes = f.next_bytes == 0 ? 0 : round_up(ceil_div(f.next_bytes * rows, f.rows * steps), 64);
    (two ? kTwoLines[f.line - 1] : kOneLine[rows - 1])(f, row, ahead, sums);
    ahead.next += ahead.bytes * steps;
    row += rows;
  }
}

void finish(const Int8Block& block) { fastcnn::avx512::int8_engine.finish(block); }

}  // namespace

const Int8Engine int8_engine{.row_items = 1,
                             .packed_pairs = 4,
                             .terms = kGroup,
                             .rows = 1,
                             .tile_rows = kRows,
                             .gaps = true,
                             .begin = nullptr,
                             .end = nullptr,
                             .copy = copy,
                             .multiply = multiply,
                             .finish = finish};

}  // namespace fastcnn::avx512vnni

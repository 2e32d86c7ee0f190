// Computes   C = act(A B + bias + residual) from factors split into bf16 parts (the contract: split.h):
//            a = a1 + a2 + a3, b = b1 + b2 + b3; bf16x6: a b = a1 b1 + a1 b2 + a2 b1 + a1 b3 + a2 b2 + a3 b1;
//            bf16x3: a1 b1 + a1 b2 + a2 b1; bf16: a1 b1. Sums in float32.
// Layout     A's strip: step by step, part by part, two tiles of rows; B's panel likewise, two tiles of columns. A pair
//            of a tile is (k, k + 16): two registers become one by a shift and a blend, with nothing to be shuffled.
//            Of bf16 alone it is (2 k, 2 k + 1), which lie together in a picture of bfloat16.
// Tile       2 x 2 tiles of C, 2 of A, 2 of B: all 8. Products that follow each other share A or B, so that of the 24
//            factors' pairs of bf16x6 14 tiles are loaded for 24 products, 8 for 12 of bf16x3, 4 for 4 of bf16.
//            The largest product comes last, lest it overflow before its corrections.
// Why        a product takes 16 cycles and a load 8 from L1; four chains hide a product's latency of 52 cycles.
// Needs      AMX-BF16, AVX-512; tiles configured by the caller's task.
// Accuracy   |a - a1| <= 2^-8 |a|, |a - a1 - a2| <= 2^-17 |a|, three parts are exact. Dropped of a product, relative to
//            it: bf16x6 2^-24, bf16x3 2^-15, bf16 2^-7, beside the roundings of the sum. Factors, parts and sums below
//            2^-126 count as zero. Near the largest float the first part of several is cut, not rounded, and so is
//            finite. An infinite factor gives NaN but in bf16.
// Source     G. Henry, P. Tang, A. Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype For
//            Higher-Precision Computations, 2019.
#include "core/bf16.h"
#include "gemm/split.h"
#include "simd/amx.h"
#include "simd/avx512.h"
#include "simd/math.inl"

namespace fastcnn::gemm::amx {
namespace {

using namespace fastcnn::amx;
using fastcnn::avx512::F32;
static_assert(kSplitTileBytes == kTileBytes && kSplitRows == kTileRows);

// ---- splitting -----------------------------------------------------------------------------------

// 16 + 16 floats -> pairs, in each part: a tile's row.
template <int parts>
FC_INLINE void split(__m512 x, __m512 y, unsigned char* out, std::int64_t part_stride) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  // Twice the bits of the smallest magnitude that would round to infinity.
  const __m512i huge = _mm512_set1_epi32(static_cast<int>(0xfeff0000u));
  if constexpr (parts == 1) {  // of a NaN with low bits alone the only part would be infinite
    x = _mm512_add_ps(x, _mm512_setzero_ps());
    y = _mm512_add_ps(y, _mm512_setzero_ps());
  }
#pragma GCC unroll 3
  for (int part = 0; part < parts; ++part, out += part_stride) {
    __m512i xs = _mm512_castps_si512(x), ys = _mm512_castps_si512(y);
    if (part == 0) {
      xs = _mm512_mask_add_epi32(xs, _mm512_cmplt_epu32_mask(_mm512_slli_epi32(xs, 1), huge), xs, half);
      ys = _mm512_mask_add_epi32(ys, _mm512_cmplt_epu32_mask(_mm512_slli_epi32(ys, 1), huge), ys, half);
    } else if (part < 2) {  // the third has no bits to lose
      xs = _mm512_add_epi32(xs, half);
      ys = _mm512_add_epi32(ys, half);
    }
    _mm512_store_si512(out, _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(xs, 16), ys));
    if (part + 1 < parts) {
      x = _mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_and_si512(xs, upper)));
      y = _mm512_sub_ps(y, _mm512_castsi512_ps(_mm512_and_si512(ys, upper)));
    }
  }
}

// Steps taken through all rows of a tile before the next: few, so that what is written stays together.
constexpr std::int64_t kSplitAhead = 2 * kSplitDepth;

// 32 neighbouring terms of a row of A -> a tile's row in each part.
template <int parts>
FC_INLINE void split_row(__m512 x, __m512 y, unsigned char* out, std::int64_t part_stride) {
  if constexpr (parts == 1)
    _mm512_store_si512(out, (__m512i)_mm512_cvtne2ps_pbh(y, x));
  else
    split<parts>(x, y, out, part_stride);
}

template <int parts>
void split_rows(const SplitRows& s) {
  const std::int64_t step_stride = parts * s.part_stride;
  const std::int64_t whole = s.depth / kSplitDepth * kSplitDepth;
  for (std::int64_t begin = 0; begin < whole; begin += kSplitAhead) {
    const std::int64_t end = min_i64(whole, begin + kSplitAhead);
    for (int r = 0; r < s.count; ++r) {
      const float* row = s.rows[r];
      unsigned char* out = s.out + begin / kSplitDepth * step_stride + r * kTileRowBytes;
      for (std::int64_t k = begin; k < end; k += kSplitDepth, out += step_stride) {
        _mm_prefetch(reinterpret_cast<const char*>(row + s.next + k), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(row + s.next + k + 16), _MM_HINT_T0);
        split_row<parts>(_mm512_loadu_ps(row + k), _mm512_loadu_ps(row + k + 16), out, s.part_stride);
      }
    }
  }
  if (whole == s.depth) return;
  unsigned char* out = s.out + whole / kSplitDepth * step_stride;
  for (int r = 0; r < s.count; ++r, out += kTileRowBytes) {
    const F32 x = fastcnn::avx512::load(s.rows[r] + whole, s.depth - whole);
    const F32 y = fastcnn::avx512::load(s.rows[r] + whole + 16, s.depth - whole - 16);
    split_row<parts>(x.v, y.v, out, s.part_stride);
  }
}

template <int parts>
void split_columns(const SplitColumns& s) {
  unsigned char* out = s.out;
  for (std::int64_t k = 0; k < s.depth; k += kSplitDepth, out += parts * s.part_stride)
    for (std::int64_t p = 0; p < kTileRows; ++p) {
      const auto row = [&](std::int64_t at) {
        return at < s.depth ? fastcnn::avx512::load(s.b + at * s.row_stride, s.columns) : fastcnn::avx512::zero();
      };
      const std::int64_t first = k + p * (parts == 1 ? 2 : 1), second = first + (parts == 1 ? 1 : 16);
      split<parts>(row(first).v, row(second).v, out + p * kTileRowBytes, s.part_stride);
    }
}

// A tile of A is one of B with its 4-byte items turned: rows become pairs.
template <int parts>
void split_pixels(const SplitPixels& s) {
  const float* const* pixels = s.pixels;
  unsigned char* out = s.out;
  for (std::int64_t step = 0; step < s.steps; ++step, pixels += kSplitDepth, out += parts * s.part_stride) {
    for (std::int64_t p = 0; p < kTileRows; ++p) {
      const F32 x = fastcnn::avx512::load(pixels[p] + s.offset, s.channels);
      const F32 y = fastcnn::avx512::load(pixels[p + 16] + s.offset, s.channels);
      split<parts>(x.v, y.v, out + p * kTileRowBytes, s.part_stride);
    }
    if (!s.turned) continue;
    for (int part = 0; part < parts; ++part) {
      auto* tile = reinterpret_cast<float*>(out + part * s.part_stride);
      F32 rows[kTileRows];
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) rows[r] = fastcnn::avx512::load(tile + r * F32::width);
      fastcnn::avx512::transpose(rows);
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) fastcnn::avx512::store(tile + r * F32::width, rows[r]);
    }
  }
}

// ---- multiplying ---------------------------------------------------------------------------------

constexpr int kA = 4, kB = 6;  // the first tiles of A and B; C's are 0 .. 3, row by row of two

template <int column_tiles>
FC_INLINE void load_b(const unsigned char* b, int part, std::int64_t tile_stride) {
  load_tile<kB>(b + part * column_tiles * kTileBytes);
  if constexpr (column_tiles == 2) load_tile<kB + 1>(b + part * column_tiles * kTileBytes + tile_stride);
}
template <int row_tiles, int column_tiles>
FC_INLINE void multiply_add_tiles() {
  multiply_add<0, kA, kB>();
  if constexpr (column_tiles == 2) multiply_add<1, kA, kB + 1>();
  if constexpr (row_tiles == 2) multiply_add<2, kA + 1, kB>();
  if constexpr (row_tiles == 2 && column_tiles == 2) multiply_add<3, kA + 1, kB + 1>();
}

// Calls f.template operator()<tile>(its floats) for each tile of C.
template <int row_tiles, int column_tiles, class Body>
FC_INLINE void each_c(float* c, const Body& body) {
  constexpr int kFloats = kTileBytes / sizeof(float);
  body.template operator()<0>(c);
  if constexpr (column_tiles == 2) body.template operator()<1>(c + kFloats);
  if constexpr (row_tiles == 2) body.template operator()<2>(c + column_tiles * kFloats);
  if constexpr (row_tiles == 2 && column_tiles == 2) body.template operator()<3>(c + 3 * kFloats);
}

template <int parts, int row_tiles, int column_tiles>
void multiply_tiles(const SplitProduct& p) {
  const auto product = [] { multiply_add_tiles<row_tiles, column_tiles>(); };
  const unsigned char *b = p.b, *next = p.next;
  if (p.accumulate)
    each_c<row_tiles, column_tiles>(p.c, []<int t>(float* c) { load_tile<t>(c); });
  else
    each_c<row_tiles, column_tiles>(p.c, []<int t>(float*) { zero_tile<t>(); });
  const std::int64_t b_step = p.b_step_stride != 0 ? p.b_step_stride : parts * column_tiles * kTileBytes;
  for (const SplitRun* run = p.runs; run < p.runs + p.num_runs; ++run) {
    if (run->b != nullptr) b = run->b;
    const unsigned char *first = run->a[0], *second = run->a[row_tiles - 1];
    for (std::int64_t step = 0; step < run->steps; ++step) {
      const auto a_part = [&](int part) {
        load_tile<kA>(first + (part - 1) * p.part_stride, p.row_stride);
        if constexpr (row_tiles == 2) load_tile<kA + 1>(second + (part - 1) * p.part_stride, p.row_stride);
      };
      const auto b_part = [&](int part) { load_b<column_tiles>(b, part - 1, p.b_tile_stride); };
      if constexpr (parts == 3) {
        a_part(3), b_part(1), product();
        a_part(2), product();
        b_part(2), product();
        a_part(1), product();
        b_part(3), product();
        b_part(1), product();
      } else if constexpr (parts == 2) {
        a_part(2), b_part(1), product();
        a_part(1), product();
        b_part(2), product();
      } else {
        a_part(1), b_part(1), product();
      }
      for (const unsigned char* end = next + p.next_bytes; next < end; next += kTileRowBytes)
        _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
      next += p.next_skip;
      first += p.step_stride;
      second += p.step_stride;
      b += b_step;
    }
  }
  each_c<row_tiles, column_tiles>(p.c, []<int t>(float* c) { store_tile<t>(c); });
}

template <int parts>
void multiply(const SplitProduct& p) {
  if (p.row_tiles == 2)
    p.column_tiles == 2 ? multiply_tiles<parts, 2, 2>(p) : multiply_tiles<parts, 2, 1>(p);
  else
    p.column_tiles == 2 ? multiply_tiles<parts, 1, 2>(p) : multiply_tiles<parts, 1, 1>(p);
}

void configure(int rows) {
  TileConfig config;
  for (int t = 0; t < kB + kSplitTiles; ++t) {
    config.row_bytes[t] = kTileRowBytes;
    config.rows[t] = static_cast<std::uint8_t>(t < kB ? rows : kTileRows);
  }
  fastcnn::amx::configure(config);
}
void release() { fastcnn::amx::release(); }

// ---- finishing -----------------------------------------------------------------------------------

void prefetch(const SplitFinish& f) {
  constexpr std::int64_t kLine = 64;
  const auto call_in = [&](const void* from, bool bf16, auto touch) {
    const std::int64_t item = bf16 ? sizeof(Bf16) : sizeof(float);
    for (int r = 0; r < f.rows; ++r)
      if (f.at[r] >= 0)
        for (std::int64_t n = 0; n < f.columns * item; n += kLine)
          touch(static_cast<const char*>(from) + f.at[r] * item + n);
  };
  call_in(f.c, f.bf16_c, [](const char* line) { __builtin_prefetch(line, 1); });
  if (f.residual != nullptr) call_in(f.residual, f.bf16_residual, [](const char* line) { __builtin_prefetch(line); });
}

using fastcnn::avx512::load, fastcnn::avx512::store;

// Elements [at, at + lanes) of c or of the residual.
FC_INLINE F32 load_any(const void* from, bool bf16, std::int64_t at, std::int64_t lanes) {
  return bf16 ? load(static_cast<const Bf16*>(from) + at, lanes) : load(static_cast<const float*>(from) + at, lanes);
}
FC_INLINE void store_any(void* to, bool bf16, std::int64_t at, F32 y, std::int64_t lanes) {
  if (bf16)
    _mm256_mask_storeu_epi16(static_cast<Bf16*>(to) + at, fastcnn::avx512::detail::first_lanes(lanes),
                             (__m256i)_mm512_cvtneps_pbh(y.v));
  else
    store(static_cast<float*>(to) + at, y, lanes);
}

template <Activation kind>
void finish(const SplitFinish& f) {
  using namespace fastcnn::avx512;
  constexpr int kFloats = kTileBytes / sizeof(float);
  const F32 bias[kSplitTiles] = {f.bias != nullptr ? load(f.bias, f.columns) : zero(),
                                 f.bias != nullptr ? load(f.bias + kSplitColumns, f.columns - kSplitColumns) : zero()};
  const float* sums = f.sums;
  for (int first = 0; first < f.rows; first += f.tile_rows, sums += f.column_tiles * kFloats)
    for (int r = 0; r < f.tile_rows && first + r < f.rows; ++r) {
      if (f.at[first + r] < 0) continue;
      const auto result = [&](int t) {
        F32 y = load(sums + t * kFloats + r * F32::width) + bias[t];
        const std::int64_t n = t * kSplitColumns;
        if (f.residual != nullptr) y = y + load_any(f.residual, f.bf16_residual, f.at[first + r] + n, f.columns - n);
        return activate<kind>(y, f.alpha);
      };
      if (f.bf16_c && f.columns == kSplitTiles * kSplitColumns) {  // a whole line
        _mm512_storeu_si512(static_cast<Bf16*>(f.c) + f.at[first + r],
                            (__m512i)_mm512_cvtne2ps_pbh(result(1).v, result(0).v));
        continue;
      }
      for (int t = 0; t < f.column_tiles; ++t) {
        const std::int64_t n = t * kSplitColumns;
        store_any(f.c, f.bf16_c, f.at[first + r] + n, result(t), f.columns - n);
      }
    }
}

void finish(const SplitFinish& f) {
  switch (f.activation) {
    case Activation::Linear: return finish<Activation::Linear>(f);
    case Activation::Relu: return finish<Activation::Relu>(f);
    case Activation::Relu6: return finish<Activation::Relu6>(f);
    case Activation::LeakyRelu: return finish<Activation::LeakyRelu>(f);
    case Activation::Elu: return finish<Activation::Elu>(f);
    case Activation::Sigmoid: return finish<Activation::Sigmoid>(f);
    case Activation::HardSigmoid: return finish<Activation::HardSigmoid>(f);
    case Activation::Tanh: return finish<Activation::Tanh>(f);
    case Activation::Silu: return finish<Activation::Silu>(f);
    case Activation::HardSwish: return finish<Activation::HardSwish>(f);
  }
}

void turn(const SplitTurn& t) {
  using namespace fastcnn::avx512;
  F32 rows[kTileRows];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) {
    const float* tile = t.tiles + r * F32::width;
    F32 even = load(tile), odd = zero();
    std::int64_t k = 1;
    for (; k + 1 < t.count; k += 2) {
      odd = odd + load(tile + k * t.stride);
      even = even + load(tile + (k + 1) * t.stride);
    }
    if (k < t.count) odd = odd + load(tile + k * t.stride);
    rows[r] = even + odd;
  }
  transpose(rows);
#pragma GCC unroll 16
  for (int n = 0; n < kTileRows; ++n)
    if (n < t.columns) store(t.to + n * t.to_stride, rows[n], t.rows);
}

}  // namespace

const SplitEngine bf16x6{3,        configure,   release, split_rows<3>, split_columns<3>, split_pixels<3>,
                         prefetch, multiply<3>, finish,  turn};
const SplitEngine bf16x3{2,        configure,   release, split_rows<2>, split_columns<2>, split_pixels<2>,
                         prefetch, multiply<2>, finish,  turn};
const SplitEngine bf16{1,        configure,   release, split_rows<1>, split_columns<1>, split_pixels<1>,
                       prefetch, multiply<1>, finish,  turn};

}  // namespace fastcnn::gemm::amx

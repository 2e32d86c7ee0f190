// Computes   what surrounds the products of bf16 parts (the contract: split.h): floats -> tiles of parts, sums ->
//            results.
// Layout     A pair of a tile is (k, k + 16): two registers become one by a shift and a blend, with nothing to be
//            shuffled. Of one part alone it is (2 k, 2 k + 1), which lie together in a picture of bfloat16.
// Tile       16 x 64 bytes.
// Why        one for all engines: what AMX and AVX512-BF16 multiply lies alike.
// Needs      AVX512-BF16.
// Accuracy   |a - a1| <= 2^-8 |a|, |a - a1 - a2| <= 2^-17 |a|, three parts are exact. Near the largest float the first
//            part of several is cut, not rounded, and so is finite.
#include "core/bf16.h"
#include "gemm/split.h"
#include "simd/avx512.h"
#include "simd/math.inl"

namespace fastcnn::gemm::avx512bf16 {
namespace {

#include "gemm/prefetch_rows.inl"

using fastcnn::avx512::F32;

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
      unsigned char* out = s.out + begin / kSplitDepth * step_stride + r * kSplitRowBytes;
      for (std::int64_t k = begin; k < end; k += kSplitDepth, out += step_stride) {
        _mm_prefetch(reinterpret_cast<const char*>(row + s.next + k), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(row + s.next + k + 16), _MM_HINT_T0);
        split_row<parts>(_mm512_loadu_ps(row + k), _mm512_loadu_ps(row + k + 16), out, s.part_stride);
      }
    }
  }
  if (whole == s.depth) return;
  unsigned char* out = s.out + whole / kSplitDepth * step_stride;
  for (int r = 0; r < s.count; ++r, out += kSplitRowBytes) {
    const F32 x = fastcnn::avx512::load(s.rows[r] + whole, s.depth - whole);
    const F32 y = fastcnn::avx512::load(s.rows[r] + whole + 16, s.depth - whole - 16);
    split_row<parts>(x.v, y.v, out, s.part_stride);
  }
}

template <int parts>
void split_columns(const SplitColumns& s) {
  unsigned char* out = s.out;
  for (std::int64_t k = 0; k < s.depth; k += kSplitDepth, out += parts * s.part_stride)
    for (std::int64_t p = 0; p < kSplitRows; ++p) {
      const auto row = [&](std::int64_t at) {
        return at < s.depth ? fastcnn::avx512::load(s.b + at * s.row_stride, s.columns) : fastcnn::avx512::zero();
      };
      const std::int64_t first = k + p * (parts == 1 ? 2 : 1), second = first + (parts == 1 ? 1 : 16);
      split<parts>(row(first).v, row(second).v, out + p * kSplitRowBytes, s.part_stride);
    }
}

// A tile of A is one of B with its 4-byte items turned: rows become pairs.
template <int parts>
void split_pixels(const SplitPixels& s) {
  const float* const* pixels = s.pixels;
  unsigned char* out = s.out;
  for (std::int64_t step = 0; step < s.steps; ++step, pixels += kSplitDepth, out += parts * s.part_stride) {
    for (std::int64_t p = 0; p < kSplitRows; ++p) {
      const F32 x = fastcnn::avx512::load(pixels[p] + s.offset, s.channels);
      const F32 y = fastcnn::avx512::load(pixels[p + 16] + s.offset, s.channels);
      split<parts>(x.v, y.v, out + p * kSplitRowBytes, s.part_stride);
    }
    if (!s.turned) continue;
    for (int part = 0; part < parts; ++part) {
      auto* tile = reinterpret_cast<float*>(out + part * s.part_stride);
      F32 rows[kSplitRows];
#pragma GCC unroll 16
      for (int r = 0; r < kSplitRows; ++r) rows[r] = fastcnn::avx512::load(tile + r * F32::width);
      fastcnn::avx512::transpose(rows);
#pragma GCC unroll 16
      for (int r = 0; r < kSplitRows; ++r) fastcnn::avx512::store(tile + r * F32::width, rows[r]);
    }
  }
}

// ---- finishing -----------------------------------------------------------------------------------

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
  constexpr int kFloats = kSplitTileBytes / sizeof(float);
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

}  // namespace

void prefetch(const SplitFinish& f) { prefetch_rows(f, 0, f.rows); }

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
  F32 rows[kSplitRows];
#pragma GCC unroll 16
  for (int r = 0; r < kSplitRows; ++r) {
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
  for (int n = 0; n < kSplitRows; ++n)
    if (n < t.columns) store(t.to + n * t.to_stride, rows[n], t.rows);
}

const SplitLayout one_part{split_rows<1>, split_columns<1>, split_pixels<1>};
const SplitLayout two_parts{split_rows<2>, split_columns<2>, split_pixels<2>};
const SplitLayout three_parts{split_rows<3>, split_columns<3>, split_pixels<3>};

}  // namespace fastcnn::gemm::avx512bf16

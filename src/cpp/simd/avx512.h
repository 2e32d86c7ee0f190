// The vector type for files compiled with AVX-512 (F, BW, DQ, VL). The contract is in simd/README.md.
#pragma once

#include <immintrin.h>

#include "core/bf16.h"

#define FC_SIMD avx512  // the namespace of this instruction set

namespace fastcnn::avx512 {

struct F32 {
  static constexpr int width = 16;
  static constexpr int registers = 32;
  __m512 v;
};
struct Mask {
  __mmask16 v;
};

namespace detail {
// Lanes 0 .. n-1 set; n may be anything: <= 0 gives none, >= 16 gives all.
FC_INLINE __mmask16 first_lanes(std::int64_t n) {
  return n >= 16  ? static_cast<__mmask16>(0xffff)
         : n <= 0 ? static_cast<__mmask16>(0)
                  : static_cast<__mmask16>((1u << n) - 1);
}
}  // namespace detail

FC_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
FC_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
FC_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
FC_INLINE F32 load(const float* p, std::int64_t n) { return {_mm512_maskz_loadu_ps(detail::first_lanes(n), p)}; }
FC_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
FC_INLINE void store(float* p, F32 a, std::int64_t n) { _mm512_mask_storeu_ps(p, detail::first_lanes(n), a.v); }

// Past the cache, to a whole register's boundary; streams_done() before another thread reads it.
FC_INLINE void stream(float* p, F32 a) { _mm512_stream_ps(p, a.v); }
FC_INLINE void streams_done() { _mm_sfence(); }

// From and to bfloat16, as to_bf16() rounds, but that AVX512-BF16 makes zero of what is below 2^-126.
namespace detail {
FC_INLINE F32 widen(__m256i x) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))}; }
FC_INLINE __m256i narrow(F32 a) {
#if defined(__AVX512BF16__)
  return (__m256i)_mm512_cvtneps_pbh(a.v);
#else
  const __m512i bits = _mm512_castps_si512(a.v),
                last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16));
#endif
}
}  // namespace detail
FC_INLINE F32 load(const Bf16* p) { return detail::widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
FC_INLINE F32 load(const Bf16* p, std::int64_t n) {
  return detail::widen(_mm256_maskz_loadu_epi16(detail::first_lanes(n), p));
}
FC_INLINE void store(Bf16* p, F32 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), detail::narrow(a)); }
FC_INLINE void store(Bf16* p, F32 a, std::int64_t n) {
  _mm256_mask_storeu_epi16(p, detail::first_lanes(n), detail::narrow(a));
}

// Numbers in bfloat16 as they are stored, and as integers in the same order: zeros alike, NaN above all others.
struct Bf16s {
  static constexpr int width = 32;
  __m512i v;
};
struct Bf16Order {
  static constexpr int width = Bf16s::width;
  __m512i v;
};
struct Bf16Mask {
  __mmask32 v;
};
namespace detail {
constexpr short kBf16Shift = 128, kBf16Infinity = 0x7f80 - kBf16Shift;  // so far down negative NaN come out at the top
}
FC_INLINE Bf16s load_bf16s(const Bf16* p) { return {_mm512_loadu_si512(p)}; }
FC_INLINE void store(Bf16* p, Bf16s a) { _mm512_storeu_si512(p, a.v); }
FC_INLINE Bf16Order lowest_order() { return {_mm512_set1_epi16(-0x7f80 - detail::kBf16Shift)}; }
FC_INLINE Bf16Order order(Bf16s a) {
  const __m512i sign = _mm512_srai_epi16(a.v, 15);  // (a & 0x7fff) ^ sign, less sign: two's complement
  const __m512i folded = _mm512_ternarylogic_epi32(a.v, _mm512_set1_epi16(0x7fff), sign, 0x6a);
  return {_mm512_sub_epi16(_mm512_sub_epi16(folded, sign), _mm512_set1_epi16(detail::kBf16Shift))};
}
FC_INLINE Bf16s number(Bf16Order a) {
  const __m512i value = _mm512_add_epi16(a.v, _mm512_set1_epi16(detail::kBf16Shift));
  return {_mm512_ternarylogic_epi32(_mm512_abs_epi16(value), value, _mm512_set1_epi16(-0x8000), 0xf8)};
}
FC_INLINE Bf16Order max(Bf16Order a, Bf16Order b) { return {_mm512_max_epi16(a.v, b.v)}; }
FC_INLINE Bf16Mask alike(Bf16Order a, Bf16Order b) {  // NaN are
  const __m512i infinity = _mm512_set1_epi16(detail::kBf16Infinity);
  const __mmask32 nan = _mm512_cmpgt_epi16_mask(b.v, infinity);
  return {_mm512_cmpeq_epi16_mask(a.v, b.v) | _mm512_mask_cmpgt_epi16_mask(nan, a.v, infinity)};
}
FC_INLINE Bf16s keep(Bf16Mask m, Bf16s a) { return {_mm512_maskz_mov_epi16(m.v, a.v)}; }
FC_INLINE Bf16s drop(Bf16Mask m, Bf16s a) { return {_mm512_maskz_mov_epi16(~m.v, a.v)}; }

FC_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
FC_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
FC_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
FC_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
FC_INLINE F32 operator-(F32 a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
FC_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// The same with b's floats read by the instruction itself. In assembly, since a compiler keeps in a register what is
// read several times.
FC_INLINE F32 fma_from(F32 a, const float* b, F32 c) {
  asm("vfmadd231ps %2, %1, %0" : "+v"(c.v) : "v"(a.v), "m"(*reinterpret_cast<const __m512_u*>(b)));
  return c;
}
FC_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
FC_INLINE F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
FC_INLINE F32 copysign(F32 a, F32 sign) {
  return {_mm512_or_ps(_mm512_abs_ps(a.v), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.v))};
}
FC_INLINE F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
FC_INLINE F32 round(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
FC_INLINE F32 floor(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
FC_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
FC_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }

FC_INLINE Mask operator<(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
FC_INLINE Mask operator<=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
FC_INLINE Mask operator==(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
FC_INLINE Mask first(std::int64_t n) { return {detail::first_lanes(n)}; }
FC_INLINE Mask is_nan(F32 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
FC_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
FC_INLINE Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
FC_INLINE F32 select(Mask m, F32 yes, F32 no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
FC_INLINE bool any(Mask m) { return m.v != 0; }
FC_INLINE unsigned bits(Mask m) { return m.v; }

// a * 2^n for normal a and integral n in [-252, 254], rounded once, gradual underflow included.
FC_INLINE F32 scale_by_power(F32 a, F32 n) { return {_mm512_scalef_ps(a.v, n.v)}; }

// Positive normal a = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
FC_INLINE F32 split_power(F32 a, F32* exponent) {
  const __m512i bits = _mm512_sub_epi32(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x3f3504f3));
  *exponent = {_mm512_cvtepi32_ps(_mm512_srai_epi32(bits, 23))};
  const __m512i fraction = _mm512_and_si512(bits, _mm512_set1_epi32(0x007fffff));
  return {_mm512_castsi512_ps(_mm512_add_epi32(fraction, _mm512_set1_epi32(0x3f3504f3)))};
}

// rows[i][j] and rows[j][i] change places.
FC_INLINE void transpose(F32 (&rows)[F32::width]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) {  // 2 x 2 in each 128 bits, then 4 x 4
    const __m512 a = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v), b = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
    const __m512 c = _mm512_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
    const __m512 d = _mm512_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
    t[i] = _mm512_shuffle_ps(a, c, 0x44), t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44), t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  // t[4 r + i] holds, in its four quarters q, the columns 4 q + i of rows 4 r ...: transpose the quarters.
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    rows[i].v = _mm512_shuffle_f32x4(a, c, 0x88), rows[i + 8].v = _mm512_shuffle_f32x4(a, c, 0xdd);
    rows[i + 4].v = _mm512_shuffle_f32x4(b, d, 0x88), rows[i + 12].v = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

// Horizontal results: a fixed tree, the same on every call.
FC_INLINE float reduce_add(F32 a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
FC_INLINE float reduce_max(F32 a) {
  const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

}  // namespace fastcnn::avx512

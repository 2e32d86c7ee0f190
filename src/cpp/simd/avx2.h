// The vector type for files compiled with AVX2 + FMA. The contract is in simd/README.md and is the same
// as avx512.h's: a kernel template written against it compiles for both.
#pragma once

#include <immintrin.h>

#include "core/bf16.h"

#define FC_SIMD avx2  // the namespace of this instruction set

namespace fastcnn::avx2 {

struct F32 {
  static constexpr int width = 8;
  static constexpr int registers = 16;
  __m256 v;
};
struct Mask {
  __m256 v;  // all ones or all zeros per lane
};

namespace detail {
// Lanes 0 .. n-1 set; n may be anything: <= 0 gives none, >= 8 gives all.
FC_INLINE __m256i first_lanes(std::int64_t n) {
  const int count = static_cast<int>(n < 0 ? 0 : n > 8 ? 8 : n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
}  // namespace detail

FC_INLINE F32 zero() { return {_mm256_setzero_ps()}; }
FC_INLINE F32 set(float x) { return {_mm256_set1_ps(x)}; }
FC_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
FC_INLINE F32 load(const float* p, std::int64_t n) { return {_mm256_maskload_ps(p, detail::first_lanes(n))}; }
FC_INLINE void store(float* p, F32 a) { _mm256_storeu_ps(p, a.v); }
FC_INLINE void store(float* p, F32 a, std::int64_t n) { _mm256_maskstore_ps(p, detail::first_lanes(n), a.v); }

// Past the cache, to a whole register's boundary; streams_done() before another thread reads it.
FC_INLINE void stream(float* p, F32 a) { _mm256_stream_ps(p, a.v); }
FC_INLINE void streams_done() { _mm_sfence(); }

// From and to bfloat16, as to_bf16() rounds.
namespace detail {
FC_INLINE F32 widen(__m128i x) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16))}; }
FC_INLINE __m128i narrow(F32 a) {
  const __m256i bits = _mm256_castps_si256(a.v),
                last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i upper = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0x08));
}
}  // namespace detail
FC_INLINE F32 load(const Bf16* p) { return detail::widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
FC_INLINE F32 load(const Bf16* p, std::int64_t n) {
  alignas(16) Bf16 lanes[F32::width] = {};
  for (std::int64_t i = 0; i < n && i < F32::width; ++i) lanes[i] = p[i];
  return load(lanes);
}
FC_INLINE void store(Bf16* p, F32 a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), detail::narrow(a)); }
FC_INLINE void store(Bf16* p, F32 a, std::int64_t n) {
  alignas(16) Bf16 lanes[F32::width];
  store(lanes, a);
  for (std::int64_t i = 0; i < n && i < F32::width; ++i) p[i] = lanes[i];
}

// Numbers in bfloat16 as they are stored, and as integers in the same order: zeros alike, NaN above all others.
struct Bf16s {
  static constexpr int width = 16;
  __m256i v;
};
struct Bf16Order {
  static constexpr int width = Bf16s::width;
  __m256i v;
};
struct Bf16Mask {
  __m256i v;
};
namespace detail {
constexpr short kBf16Shift = 128, kBf16Infinity = 0x7f80 - kBf16Shift;  // so far down negative NaN come out at the top
}
FC_INLINE Bf16s load_bf16s(const Bf16* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
FC_INLINE void store(Bf16* p, Bf16s a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
FC_INLINE Bf16Order lowest_order() { return {_mm256_set1_epi16(-0x7f80 - detail::kBf16Shift)}; }
FC_INLINE Bf16Order order(Bf16s a) {
  const __m256i sign = _mm256_srai_epi16(a.v, 15);
  const __m256i folded = _mm256_xor_si256(_mm256_and_si256(a.v, _mm256_set1_epi16(0x7fff)), sign);
  return {_mm256_sub_epi16(_mm256_sub_epi16(folded, sign), _mm256_set1_epi16(detail::kBf16Shift))};
}
FC_INLINE Bf16s number(Bf16Order a) {
  const __m256i value = _mm256_add_epi16(a.v, _mm256_set1_epi16(detail::kBf16Shift));
  return {_mm256_or_si256(_mm256_abs_epi16(value), _mm256_and_si256(value, _mm256_set1_epi16(-0x8000)))};
}
FC_INLINE Bf16Order max(Bf16Order a, Bf16Order b) { return {_mm256_max_epi16(a.v, b.v)}; }
FC_INLINE Bf16Mask alike(Bf16Order a, Bf16Order b) {  // NaN are
  const __m256i infinity = _mm256_set1_epi16(detail::kBf16Infinity);
  const __m256i nan = _mm256_and_si256(_mm256_cmpgt_epi16(a.v, infinity), _mm256_cmpgt_epi16(b.v, infinity));
  return {_mm256_or_si256(_mm256_cmpeq_epi16(a.v, b.v), nan)};
}
FC_INLINE Bf16s keep(Bf16Mask m, Bf16s a) { return {_mm256_and_si256(m.v, a.v)}; }
FC_INLINE Bf16s drop(Bf16Mask m, Bf16s a) { return {_mm256_andnot_si256(m.v, a.v)}; }

FC_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
FC_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
FC_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
FC_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
FC_INLINE F32 operator-(F32 a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
FC_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
// The same with b's floats read by the instruction itself. In assembly, since a compiler keeps in a register what is
// read several times.
FC_INLINE F32 fma_from(F32 a, const float* b, F32 c) {
  asm("vfmadd231ps %2, %1, %0" : "+x"(c.v) : "x"(a.v), "m"(*reinterpret_cast<const __m256_u*>(b)));
  return c;
}
FC_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
FC_INLINE F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
FC_INLINE F32 copysign(F32 a, F32 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, a.v), _mm256_and_ps(bit, sign.v))};
}
FC_INLINE F32 abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
FC_INLINE F32 round(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
FC_INLINE F32 floor(F32 a) { return {_mm256_floor_ps(a.v)}; }
FC_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
FC_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }

FC_INLINE Mask operator<(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
FC_INLINE Mask operator<=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
FC_INLINE Mask operator==(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
FC_INLINE Mask first(std::int64_t n) { return {_mm256_castsi256_ps(detail::first_lanes(n))}; }
FC_INLINE Mask is_nan(F32 a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
FC_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
FC_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
FC_INLINE F32 select(Mask m, F32 yes, F32 no) { return {_mm256_blendv_ps(no.v, yes.v, m.v)}; }
FC_INLINE bool any(Mask m) { return _mm256_movemask_ps(m.v) != 0; }
FC_INLINE unsigned bits(Mask m) { return static_cast<unsigned>(_mm256_movemask_ps(m.v)); }

namespace detail {
// 2^n for integral n in [-126, 127], by writing the exponent field.
FC_INLINE F32 exp2_int(F32 n) {
  const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(e, 23))};
}
}  // namespace detail

// a * 2^n for normal a and integral n in [-252, 254], rounded once, gradual underflow included. Two factors, because
// one exponent field does not reach that far.
FC_INLINE F32 scale_by_power(F32 a, F32 n) {
  const F32 half = floor(n * set(0.5f));
  return a * detail::exp2_int(half) * detail::exp2_int(n - half);
}

// Positive normal a = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
FC_INLINE F32 split_power(F32 a, F32* exponent) {
  const __m256i bits = _mm256_sub_epi32(_mm256_castps_si256(a.v), _mm256_set1_epi32(0x3f3504f3));
  *exponent = {_mm256_cvtepi32_ps(_mm256_srai_epi32(bits, 23))};
  const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff));
  return {_mm256_castsi256_ps(_mm256_add_epi32(fraction, _mm256_set1_epi32(0x3f3504f3)))};
}

// rows[i][j] and rows[j][i] change places.
FC_INLINE void transpose(F32 (&rows)[F32::width]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 4) {  // 2 x 2 in each 128 bits, then 4 x 4
    const __m256 a = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v), b = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
    const __m256 c = _mm256_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
    const __m256 d = _mm256_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
    t[i] = _mm256_shuffle_ps(a, c, 0x44), t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44), t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
}

// Horizontal results: a fixed tree, the same on every call.
FC_INLINE float reduce_add(F32 a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
FC_INLINE float reduce_max(F32 a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

}  // namespace fastcnn::avx2

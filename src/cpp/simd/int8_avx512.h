// Integers for files compiled with AVX-512: what kernels of 8-bit codes need beside the vector type. The contract is in
// simd/README.md.
#pragma once

#include "simd/avx512.h"
#include "simd/run.inl"

namespace fastcnn::avx512 {

struct I32 {
  __m512i v;
};

FC_INLINE I32 load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
FC_INLINE void store(std::int32_t* p, I32 a) { _mm512_storeu_si512(p, a.v); }
FC_INLINE I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
FC_INLINE I32 set_i32(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
FC_INLINE I32 operator&(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
FC_INLINE I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
FC_INLINE F32 to_f32(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
FC_INLINE I32 to_i32(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }

// Lane i: a[2i] b[2i] + a[2i + 1] b[2i + 1] of 16-bit integers.
FC_INLINE I32 multiply_pairs(I32 a, I32 b) { return {_mm512_madd_epi16(a.v, b.v)}; }
FC_INLINE I32 broadcast_pair(const std::int16_t* p) { return {_mm512_set1_epi32(*reinterpret_cast<const int*>(p))}; }

// 16-bit integers; and codes made such, whole or the first n.
FC_INLINE I32 load_words(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
FC_INLINE I32 load_words(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
FC_INLINE I32 load_words(const std::int8_t* p, std::int64_t n) {
  const auto lanes = n >= 32 ? ~__mmask32{0} : static_cast<__mmask32>((std::uint32_t{1} << n) - 1);
  return {_mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(lanes, p))};
}

// Lane i: the sum of register i's lanes.
FC_INLINE I32 sum_lanes(const I32 (&a)[F32::width]) {
  __m512i pairs[8], fours[4];
  for (int i = 0; i < 8; ++i)
    pairs[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2 * i].v, a[2 * i + 1].v),
                                _mm512_unpackhi_epi32(a[2 * i].v, a[2 * i + 1].v));
  for (int i = 0; i < 4; ++i)
    fours[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]),
                                _mm512_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
  // fours[i] holds, in each of its quarters, a part of the sums 4 i ...: add the quarters.
  const auto halves = [](__m512i x, __m512i y) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(x, y, 0x88), _mm512_shuffle_i32x4(x, y, 0xdd));
  };
  return {halves(halves(fours[0], fours[1]), halves(fours[2], fours[3]))};
}

FC_INLINE I32 load_codes(const std::uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
FC_INLINE I32 load_codes(const std::uint8_t* p, std::int64_t n) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(detail::first_lanes(n), p))};
}
// Of integers in [0, 255].
FC_INLINE void store_codes(std::uint8_t* p, I32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
FC_INLINE void store_codes(std::uint8_t* p, I32 a, std::int64_t n) {
  _mm512_mask_cvtepi32_storeu_epi8(p, detail::first_lanes(n), a.v);
}

// 32 codes at once; whole, or the first n.
FC_INLINE void load_codes(I32 (&q)[2], const std::uint8_t* p, Whole) {
  q[0] = load_codes(p), q[1] = load_codes(p + 16);
}
FC_INLINE void load_codes(I32 (&q)[2], const std::uint8_t* p, Part part) {
  q[0] = load_codes(p, part.lanes), q[1] = load_codes(p + 16, part.lanes - 16);
}
FC_INLINE void load_signed(I32 (&q)[2], const std::int8_t* p, Whole) {
  for (int i = 0; i < 2; ++i)
    q[i] = {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i)))};
}
FC_INLINE void load_signed(I32 (&q)[2], const std::int8_t* p, Part part) {
  for (int i = 0; i < 2; ++i)
    q[i] = {_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(detail::first_lanes(part.lanes - 16 * i), p + 16 * i))};
}
namespace detail {
// Bounded to [0, 255].
FC_INLINE __m256i pack(const I32 (&q)[2]) {
  const __m512i words = _mm512_packs_epi32(q[0].v, q[1].v);  // 4 of each by turns
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, _mm512_packus_epi16(words, words)));
}
}  // namespace detail
FC_INLINE void store_codes(std::uint8_t* p, const I32 (&q)[2], Whole) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), detail::pack(q));
}
FC_INLINE void store_codes(std::uint8_t* p, const I32 (&q)[2], Part part) {
  _mm256_mask_storeu_epi8(p, static_cast<__mmask32>(~std::uint64_t{0} >> (64 - part.lanes)), detail::pack(q));
}

// Codes as they are.
struct U8 {
  static constexpr int width = 64;
  __m512i v;
};
namespace detail {
FC_INLINE __mmask64 first_bytes(std::int64_t n) {
  return n >= 64 ? ~std::uint64_t{0} : n <= 0 ? 0 : ~std::uint64_t{0} >> (64 - n);
}
}  // namespace detail
FC_INLINE U8 zero_u8() { return {_mm512_setzero_si512()}; }
FC_INLINE U8 max(U8 a, U8 b) { return {_mm512_max_epu8(a.v, b.v)}; }
FC_INLINE U8 load_u8(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
FC_INLINE U8 load_u8(const std::uint8_t* p, std::int64_t n) {
  return {_mm512_maskz_loadu_epi8(detail::first_bytes(n), p)};
}
FC_INLINE void store_u8(std::uint8_t* p, U8 a) { _mm512_storeu_si512(p, a.v); }
FC_INLINE void store_u8(std::uint8_t* p, U8 a, std::int64_t n) {
  _mm512_mask_storeu_epi8(p, detail::first_bytes(n), a.v);
}

// Copies n bytes, as they are or each made a 16-bit integer.
FC_INLINE void copy_bytes(unsigned char* to, const unsigned char* from, std::int64_t n) {
  for (; n > 64; n -= 64, to += 64, from += 64) _mm512_storeu_si512(to, _mm512_loadu_si512(from));
  const __mmask64 rest = detail::first_bytes(n);
  _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}
FC_INLINE void widen_bytes(std::int16_t* to, const unsigned char* from, std::int64_t n) {
  for (; n > 32; n -= 32, to += 32, from += 32)
    _mm512_storeu_si512(to, _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
  const __mmask32 rest = n <= 0 ? 0 : static_cast<__mmask32>(~std::uint32_t{0} >> (32 - n));
  _mm512_mask_storeu_epi16(to, rest, _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(rest, from)));
}

}  // namespace fastcnn::avx512

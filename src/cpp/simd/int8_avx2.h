// Integers for files compiled with AVX2: what kernels of 8-bit codes need beside the vector type. The contract is in
// simd/README.md.
#pragma once

#include "simd/avx2.h"
#include "simd/run.inl"

namespace fastcnn::avx2 {

struct I32 {
  __m256i v;
};

FC_INLINE I32 load(const std::int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
FC_INLINE void store(std::int32_t* p, I32 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
FC_INLINE I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
FC_INLINE I32 set_i32(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
FC_INLINE I32 operator&(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
FC_INLINE I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
FC_INLINE F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
FC_INLINE I32 to_i32(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }

// Lane i: a[2i] b[2i] + a[2i + 1] b[2i + 1] of 16-bit integers.
FC_INLINE I32 multiply_pairs(I32 a, I32 b) { return {_mm256_madd_epi16(a.v, b.v)}; }
FC_INLINE I32 broadcast_pair(const std::int16_t* p) { return {_mm256_set1_epi32(*reinterpret_cast<const int*>(p))}; }

// 16-bit integers; and codes made such, whole or the first n.
FC_INLINE I32 load_words(const std::int16_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
FC_INLINE I32 load_words(const std::int8_t* p) {
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
FC_INLINE I32 load_words(const std::int8_t* p, std::int64_t n) {
  std::int8_t whole[16] = {};
  for (std::int64_t i = 0; i < min_i64(n, 16); ++i) whole[i] = p[i];
  return load_words(whole);
}

// Lane i: the sum of register i's lanes.
FC_INLINE I32 sum_lanes(const I32 (&a)[F32::width]) {
  const auto fours = [&](int i) {
    return _mm256_hadd_epi32(_mm256_hadd_epi32(a[i].v, a[i + 1].v), _mm256_hadd_epi32(a[i + 2].v, a[i + 3].v));
  };
  const __m256i low = fours(0), high = fours(4);
  return {_mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31))};
}

namespace detail {
FC_INLINE __m128i codes(const std::uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
}  // namespace detail

FC_INLINE I32 load_codes(const std::uint8_t* p) { return {_mm256_cvtepu8_epi32(detail::codes(p))}; }
FC_INLINE I32 load_codes(const std::uint8_t* p, std::int64_t n) {
  std::uint8_t whole[8] = {};
  for (std::int64_t i = 0; i < min_i64(n, 8); ++i) whole[i] = p[i];
  return load_codes(whole);
}
// Of integers in [0, 255].
FC_INLINE void store_codes(std::uint8_t* p, I32 a) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
FC_INLINE void store_codes(std::uint8_t* p, I32 a, std::int64_t n) {
  std::uint8_t whole[8];
  store_codes(whole, a);
  for (std::int64_t i = 0; i < min_i64(n, 8); ++i) p[i] = whole[i];
}

// 32 codes at once; whole, or the first n.
FC_INLINE void load_codes(I32 (&q)[4], const std::uint8_t* p, Whole) {
  for (int i = 0; i < 4; ++i) q[i] = load_codes(p + 8 * i);
}
FC_INLINE void load_codes(I32 (&q)[4], const std::uint8_t* p, Part part) {
  std::uint8_t whole[32] = {};
  for (std::int64_t i = 0; i < part.lanes; ++i) whole[i] = p[i];
  load_codes(q, whole, Whole{});
}
FC_INLINE void load_signed(I32 (&q)[4], const std::int8_t* p, Whole) {
  for (int i = 0; i < 4; ++i)
    q[i] = {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8 * i)))};
}
FC_INLINE void load_signed(I32 (&q)[4], const std::int8_t* p, Part part) {
  std::int8_t whole[32] = {};
  for (std::int64_t i = 0; i < part.lanes; ++i) whole[i] = p[i];
  load_signed(q, whole, Whole{});
}
// Bounded to [0, 255].
FC_INLINE void store_codes(std::uint8_t* p, const I32 (&q)[4], Whole) {
  const __m256i a = _mm256_packs_epi32(q[0].v, q[1].v), b = _mm256_packs_epi32(q[2].v, q[3].v);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // of 4 codes
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order));
}
FC_INLINE void store_codes(std::uint8_t* p, const I32 (&q)[4], Part part) {
  std::uint8_t whole[32];
  store_codes(whole, q, Whole{});
  for (std::int64_t i = 0; i < part.lanes; ++i) p[i] = whole[i];
}

// Codes as they are.
struct U8 {
  static constexpr int width = 32;
  __m256i v;
};
FC_INLINE U8 zero_u8() { return {_mm256_setzero_si256()}; }
FC_INLINE U8 max(U8 a, U8 b) { return {_mm256_max_epu8(a.v, b.v)}; }
FC_INLINE U8 load_u8(const std::uint8_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
FC_INLINE void store_u8(std::uint8_t* p, U8 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
FC_INLINE U8 load_u8(const std::uint8_t* p, std::int64_t n) {
  std::uint8_t whole[U8::width] = {};
  for (std::int64_t i = 0; i < min_i64(n, U8::width); ++i) whole[i] = p[i];
  return load_u8(whole);
}
FC_INLINE void store_u8(std::uint8_t* p, U8 a, std::int64_t n) {
  std::uint8_t whole[U8::width];
  store_u8(whole, a);
  for (std::int64_t i = 0; i < min_i64(n, U8::width); ++i) p[i] = whole[i];
}

// Copies n bytes, each made a 16-bit integer.
FC_INLINE void widen_bytes(std::int16_t* to, const unsigned char* from, std::int64_t n) {
  for (; n >= 16; n -= 16, to += 16, from += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

}  // namespace fastcnn::avx2

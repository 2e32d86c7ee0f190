// Registers of 64-bit lanes for random.inl, which explains the functions.
#pragma once

#include "simd/avx2.h"

namespace fastcnn::avx2 {

struct U64 {
  static constexpr int width = 4;
  __m256i v;
};

FC_INLINE U64 set_u64(std::uint64_t x) { return {_mm256_set1_epi64x(static_cast<long long>(x))}; }
FC_INLINE U64 counters(std::uint32_t first) {
  return {_mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_setr_epi64x(0, 2, 1, 3))};
}
FC_INLINE U64 multiply_low(U64 a, U64 b) { return {_mm256_mul_epu32(a.v, b.v)}; }
FC_INLINE U64 high_half(U64 a) { return {_mm256_srli_epi64(a.v, 32)}; }
FC_INLINE U64 xor3(U64 a, U64 b, U64 c) { return {_mm256_xor_si256(_mm256_xor_si256(a.v, b.v), c.v)}; }
FC_INLINE U64 join_low(U64 a, U64 b) { return {_mm256_blend_epi32(a.v, _mm256_slli_epi64(b.v, 32), 0xaa)}; }
FC_INLINE F32 top_24_bits(U64 a) { return {_mm256_cvtepi32_ps(_mm256_srli_epi32(a.v, 8))}; }
FC_INLINE void interleave(U64* a, U64* b) {
  const U64 lo{_mm256_unpacklo_epi64(a->v, b->v)};
  b->v = _mm256_unpackhi_epi64(a->v, b->v);
  *a = lo;
}
FC_INLINE void interleave(F32* a, F32* b) {
  const F32 lo{_mm256_unpacklo_ps(a->v, b->v)};
  b->v = _mm256_unpackhi_ps(a->v, b->v);
  *a = lo;
}

}  // namespace fastcnn::avx2

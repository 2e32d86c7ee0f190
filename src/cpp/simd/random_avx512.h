// Registers of 64-bit lanes for random.inl, which explains the functions.
#pragma once

#include "simd/avx512.h"

namespace fastcnn::avx512 {

struct U64 {
  static constexpr int width = 8;
  __m512i v;
};

FC_INLINE U64 set_u64(std::uint64_t x) { return {_mm512_set1_epi64(static_cast<long long>(x))}; }
FC_INLINE U64 counters(std::uint32_t first) {
  return {_mm512_add_epi64(_mm512_set1_epi64(first), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7))};
}
FC_INLINE U64 multiply_low(U64 a, U64 b) { return {_mm512_mul_epu32(a.v, b.v)}; }
FC_INLINE U64 high_half(U64 a) { return {_mm512_srli_epi64(a.v, 32)}; }
FC_INLINE U64 xor3(U64 a, U64 b, U64 c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x96)}; }
FC_INLINE U64 join_low(U64 a, U64 b) { return {_mm512_mask_shuffle_epi32(a.v, 0xaaaa, b.v, _MM_PERM_CCAA)}; }
FC_INLINE F32 top_24_bits(U64 a) { return {_mm512_cvtepi32_ps(_mm512_srli_epi32(a.v, 8))}; }
FC_INLINE void interleave(U64* a, U64* b) {
  const U64 lo{_mm512_unpacklo_epi64(a->v, b->v)};
  b->v = _mm512_unpackhi_epi64(a->v, b->v);
  *a = lo;
}
FC_INLINE void interleave(F32* a, F32* b) {
  const F32 lo{_mm512_unpacklo_ps(a->v, b->v)};
  b->v = _mm512_unpackhi_ps(a->v, b->v);
  *a = lo;
}

}  // namespace fastcnn::avx512

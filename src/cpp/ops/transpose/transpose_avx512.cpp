#include "simd/avx512.h"

namespace fastcnn::avx512 {
namespace {

// 16 x 16 items in registers: pairs of 4 bytes, of 8, then of 16 twice.
FC_INLINE void transpose_square(F32 (&a)[16]) {
  __m512 b[16], c[16];
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i].v, a[i + 1].v);
    b[i + 1] = _mm512_unpackhi_ps(a[i].v, a[i + 1].v);
  }
  for (int i = 0; i < 16; i += 4) {
    c[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
    c[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
    c[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    c[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  // c[4q + k] holds, in its quarter p, rows 4q .. 4q+3 of column 4p + k: gather the quarters of equal p.
  for (int k = 0; k < 4; ++k) {
    const __m512 low = _mm512_shuffle_f32x4(c[k], c[4 + k], 0x88), high = _mm512_shuffle_f32x4(c[k], c[4 + k], 0xdd);
    const __m512 low2 = _mm512_shuffle_f32x4(c[8 + k], c[12 + k], 0x88);
    const __m512 high2 = _mm512_shuffle_f32x4(c[8 + k], c[12 + k], 0xdd);
    a[k].v = _mm512_shuffle_f32x4(low, low2, 0x88);
    a[4 + k].v = _mm512_shuffle_f32x4(high, high2, 0x88);
    a[8 + k].v = _mm512_shuffle_f32x4(low, low2, 0xdd);
    a[12 + k].v = _mm512_shuffle_f32x4(high, high2, 0xdd);
  }
}

}  // namespace
}  // namespace fastcnn::avx512

#include "ops/transpose/transpose_simd.inl"

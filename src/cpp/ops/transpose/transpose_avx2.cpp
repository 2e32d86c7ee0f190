#include "simd/avx2.h"

namespace fastcnn::avx2 {
namespace {

// 8 x 8 items in registers: pairs of 4 bytes, then of 8, then of 16.
FC_INLINE void transpose_square(F32 (&a)[8]) {
  __m256 b[8], c[8];
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i].v, a[i + 1].v);
    b[i + 1] = _mm256_unpackhi_ps(a[i].v, a[i + 1].v);
  }
  for (int i = 0; i < 8; i += 4) {
    c[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    c[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
    c[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    c[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    a[i].v = _mm256_permute2f128_ps(c[i], c[i + 4], 0x20);
    a[i + 4].v = _mm256_permute2f128_ps(c[i], c[i + 4], 0x31);
  }
}

}  // namespace
}  // namespace fastcnn::avx2

#include "ops/transpose/transpose_simd.inl"

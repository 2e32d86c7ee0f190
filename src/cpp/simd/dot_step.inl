// Dot products of groups of 4 bytes: what kernels of AVX512-BF16 and AVX512-VNNI have at their core. Included in the
// namespace of a kernel.
//
// A step is 64 bytes of each row of A, 16 groups or the first of them, and of B 16 rows of registers: group g of 16
// columns lies at b + g * 64, that of the next 16 columns `b_tile_stride` bytes on. The rows are of `tiles` tiles of A.
// `Dot` has a type Sum of 16 sums and Sum add(Sum sum, __m512i a, __m512i b), where a holds one group 16 times.

template <class Dot, int tiles, int rows, int column_tiles>
FC_INLINE void dot_step(typename Dot::Sum (&sums)[rows][column_tiles], const unsigned char* const (&a)[tiles],
                        std::int64_t row_stride, const unsigned char* b, std::int64_t b_tile_stride, int groups = 16) {
  constexpr int kGroupBytes = 4, kRegisterBytes = 64, kTileRows = rows / tiles;
  for (int group = 0; group < groups; ++group, b += kRegisterBytes) {
    __m512i columns[column_tiles];
#pragma GCC unroll 2
    for (int n = 0; n < column_tiles; ++n) columns[n] = _mm512_loadu_si512(b + n * b_tile_stride);
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      int one;
      __builtin_memcpy(&one, a[r / kTileRows] + group * kGroupBytes + r % kTileRows * row_stride, sizeof one);
      const __m512i row = _mm512_set1_epi32(one);
#pragma GCC unroll 2
      for (int n = 0; n < column_tiles; ++n) sums[r][n] = Dot::add(sums[r][n], row, columns[n]);
    }
  }
}

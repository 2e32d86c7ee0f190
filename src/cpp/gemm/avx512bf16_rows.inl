// What kernels of AVX512-BF16 share: the product of pairs, and how sums of 16 or 32 columns become a row of results
// while they are in registers. Included in the namespace of a kernel.

struct Pairs {
  using Sum = __m512;
  static FC_INLINE Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
};

using fastcnn::avx512::Bounds;

FC_INLINE __m512 load_any(const void* from, bool bf16, std::int64_t at, __mmask16 lanes) {
  if (!bf16) return _mm512_maskz_loadu_ps(lanes, static_cast<const float*>(from) + at);
  return fastcnn::avx512::detail::widen(_mm256_maskz_loadu_epi16(lanes, static_cast<const Bf16*>(from) + at)).v;
}

// What is given by column.
template <int column_tiles>
struct Columns {
  __mmask16 lanes[column_tiles];
  __m512 bias[column_tiles];

  explicit Columns(const SplitFinish& f) {
    for (int n = 0; n < column_tiles; ++n) {
      lanes[n] = fastcnn::avx512::detail::first_lanes(f.columns - n * kSplitColumns);
      bias[n] = f.bias != nullptr ? _mm512_maskz_loadu_ps(lanes[n], f.bias + n * kSplitColumns) : _mm512_setzero_ps();
    }
  }
};

// Sums of a row become its results.
template <bool residual, bool bf16_c, int column_tiles>
FC_INLINE void finish_row(const SplitFinish& f, const Bounds& bounds, const Columns<column_tiles>& columns,
                          const __m512 (&sums)[column_tiles], std::int64_t at) {
  __m512 y[column_tiles];
#pragma GCC unroll 2
  for (int n = 0; n < column_tiles; ++n) {
    y[n] = _mm512_add_ps(sums[n], columns.bias[n]);
    if constexpr (residual)
      y[n] = _mm512_add_ps(y[n], load_any(f.residual, f.bf16_residual, at + n * kSplitColumns, columns.lanes[n]));
    y[n] = bounds({y[n]}).v;
    if constexpr (!bf16_c)
      _mm512_mask_storeu_ps(static_cast<float*>(f.c) + at + n * kSplitColumns, columns.lanes[n], y[n]);
  }
  if constexpr (bf16_c && column_tiles == 2)  // a line
    _mm512_mask_storeu_epi16(static_cast<Bf16*>(f.c) + at, _mm512_kunpackw(columns.lanes[1], columns.lanes[0]),
                             (__m512i)_mm512_cvtne2ps_pbh(y[1], y[0]));
  else if constexpr (bf16_c)
    _mm256_mask_storeu_epi16(static_cast<Bf16*>(f.c) + at, columns.lanes[0], (__m256i)_mm512_cvtneps_pbh(y[0]));
}

template <class Body>
FC_INLINE void with_kind(const SplitFinish& f, const Body& body) {
  if (f.residual != nullptr)
    f.bf16_c ? body.template operator()<true, true>() : body.template operator()<true, false>();
  else
    f.bf16_c ? body.template operator()<false, true>() : body.template operator()<false, false>();
}

// Computes   C = act(A B + bias + residual) of sums of few terms: one panel of B after rows at one distance (the
//            contract: tile.h).
// Layout     as gemm_simd.inl; rows of A, and of C, follow each other at one distance.
// Tile       AVX-512 6 x 64, 8 x 48, 8 x 32, 8 x 16; AVX2 6 x 16, 8 x 8: at most 24 accumulators, a pointer for each
//            row. What is left of the rows are tiles of half as many, and of half of those.
// Why        a tile that is described, begun and finished by itself costs as much as sums of few terms take. Here one
//            call has a dozen, whose addresses follow from each other, and the processor begins the next while it
//            finishes one. B is in L1, so that loads do not matter as much as instructions.
// Needs      activations that only bound.
// Accuracy   as gemm_simd.inl, and the same bits.
#include "gemm/gemm_simd.inl"

namespace fastcnn::gemm::FC_SIMD {
namespace {

template <int rows, int vectors, bool residual, bool whole>
FC_INLINE void multiply_rows(const ShortRows& s, const Bounds& bounds, std::int64_t first) {
  constexpr int kWidth = F32::width, kLine = 64 / sizeof(float);
  const auto load_at = [&](const float* p, int v) {
    return whole || v + 1 < vectors ? load(p + v * kWidth) : load(p + v * kWidth, s.columns - v * kWidth);
  };
  const std::int64_t at = first * s.c_row;
  if (s.calls_in)
    for (int r = 0; r < rows; ++r)
      for (int n = 0; n < vectors * kWidth; n += kLine) {
        const std::int64_t ahead = at + (r + s.rows) * s.c_row + n;
        __builtin_prefetch(s.c + ahead, 1);
        if constexpr (residual) __builtin_prefetch(s.residual + ahead);
      }
  Accumulators<rows, vectors> acc;
  each<rows, vectors>([&](int r, int v) {
    acc.v[r][v] = r > 0 ? acc.v[0][v] : s.bias != nullptr ? load_at(s.bias, v) : zero();
  });
  const float* b = s.b;
  for (std::int64_t tap = 0; tap < s.taps; ++tap) {
    const float* const start = s.a[tap] + first * s.a_row;
    const float* pointers[rows];
    for (int r = 0; r < rows; ++r) pointers[r] = start + r * s.a_row;
    Rows<rows, false> a(pointers);
    for (std::int64_t k = 0; k < s.depth; ++k, b += vectors * kWidth, a.next(1)) {
      F32 bv[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) bv[v] = load(b + v * kWidth);
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const F32 av = a.get(r);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) acc.v[r][v] = fma(av, bv[v], acc.v[r][v]);
      }
    }
  }
  each<rows, vectors>([&](int r, int v) {
    const std::int64_t to = at + r * s.c_row;
    F32 y = acc.v[r][v];
    if constexpr (residual) y = y + load_at(s.residual + to, v);
    float* c = s.c + to + v * kWidth;
    whole || v + 1 < vectors ? store(c, bounds(y)) : store(c, bounds(y), s.columns - v * kWidth);
  });
}

// Rows from `first` on: as many tiles of `rows` as there are, then those of half as many.
template <int rows, int vectors, bool residual, bool whole>
void multiply_short(const ShortRows& s, const Bounds& bounds, std::int64_t first = 0) {
  for (; first + rows <= s.rows; first += rows) multiply_rows<rows, vectors, residual, whole>(s, bounds, first);
  if constexpr (rows > 1) multiply_short<rows / 2, vectors, residual, whole>(s, bounds, first);
}

template <int rows, int vectors>
void short_rows(const ShortRows& s) {
  const Bounds bounds(s.activation);
  const bool whole = s.columns == vectors * F32::width;
  if (s.residual != nullptr)
    whole ? multiply_short<rows, vectors, true, true>(s, bounds)
          : multiply_short<rows, vectors, true, false>(s, bounds);
  else
    whole ? multiply_short<rows, vectors, false, true>(s, bounds)
          : multiply_short<rows, vectors, false, false>(s, bounds);
}

}  // namespace
}  // namespace fastcnn::gemm::FC_SIMD

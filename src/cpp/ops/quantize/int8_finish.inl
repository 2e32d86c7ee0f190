// From sums of products of codes to results (the formulas: int8_product.h), for kernels of AVX2 and AVX-512. Include
// after simd/int8_avx2.h or simd/int8_avx512.h.
#pragma once

#include "ops/quantize/int8_product.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {

FC_INLINE I32 load_codes(const std::uint8_t* p, Whole) { return load_codes(p); }
FC_INLINE I32 load_codes(const std::uint8_t* p, Part part) { return load_codes(p, part.lanes); }
FC_INLINE void store_codes(std::uint8_t* p, I32 a, Whole) { store_codes(p, a); }
FC_INLINE void store_codes(std::uint8_t* p, I32 a, Part part) { store_codes(p, a, part.lanes); }

namespace {

template <Residual kind, bool to_codes, bool is_bounded>
struct FinishKind {
  static constexpr Residual residual = kind;
  static constexpr bool codes = to_codes, bounded = is_bounded;
};

// Calls body(FinishKind<...>{}): the switches outside a loop.
template <bool codes, bool bounded, class Body>
FC_INLINE void with_residual(const Int8Finish& f, const Body& body) {
  switch (f.residual) {
    case Residual::None: return body(FinishKind<Residual::None, codes, bounded>{});
    case Residual::Codes: return body(FinishKind<Residual::Codes, codes, bounded>{});
    case Residual::Floats: return body(FinishKind<Residual::Floats, codes, bounded>{});
  }
}
template <class Body>
FC_INLINE void with_finish(const Int8Finish& f, const Body& body) {
  if (f.codes)
    f.bounded ? with_residual<true, true>(f, body) : with_residual<true, false>(f, body);
  else
    f.bounded ? with_residual<false, true>(f, body) : with_residual<false, false>(f, body);
}

// One register of sums. `residual` and `y` are those of the row; `at` is the element in it.
template <class Kind, class Lanes>
FC_INLINE void finish_register(const Int8Finish& f, I32 sum, F32 scale, F32 bias, const void* residual, void* y,
                               std::int64_t at, Lanes lanes) {
  F32 v = fma(to_f32(sum), scale, bias);
  if constexpr (Kind::residual == Residual::Codes) {
    const F32 r = to_f32(load_codes(static_cast<const std::uint8_t*>(residual) + at, lanes));
    v = fma(set(f.residual_scale), r - set(f.residual_zero_point), v);
  }
  if constexpr (Kind::residual == Residual::Floats) v = v + load(static_cast<const float*>(residual) + at, lanes);
  if constexpr (!Kind::bounded)
    with_activation(f.epilogue.activation,
                    [&](auto k) { v = activate<decltype(k)::kind>(v, f.epilogue.alpha); });
  if constexpr (Kind::codes) {
    v = min(max(fma(v, set(f.inverse), set(f.zero_point)), set(f.low)), set(f.high));
    store_codes(static_cast<std::uint8_t*>(y) + at, to_i32(v), lanes);
  } else {
    if constexpr (Kind::bounded) v = min(set(f.high), max(set(f.low), v));  // keeps NaN
    store(static_cast<float*>(y) + at, v, lanes);
  }
}

template <class Kind, class Lanes>
FC_INLINE void finish_columns(const Int8Block& b, std::int64_t column, Lanes lanes) {
  const Int8Finish f = *b.finish;
  const I32 correction = load(b.correction + column);
  const F32 scale = load(b.scale + column), bias = load(b.bias + column);
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const I32 sum = load(b.sums + r * kInt8Columns + column) - correction;
    finish_register<Kind>(f, sum, scale, bias, b.residual, b.y, r * b.row_stride + column, lanes);
  }
}

void finish_block(const Int8Block& b) {
  with_finish(*b.finish, [&](auto kind) {
    each_register(b.columns, [&](std::int64_t column, auto lanes) {
      finish_columns<decltype(kind)>(b, column, lanes);
    });
  });
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

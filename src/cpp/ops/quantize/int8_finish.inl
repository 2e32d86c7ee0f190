// From sums of products of codes to results (the formulas: int8_product.h), for kernels of AVX2 and AVX-512. Include
// after simd/int8_avx2.h or simd/int8_avx512.h.
#pragma once

#include "ops/quantize/int8_product.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {

// Of a run of registers, the i-th.
FC_INLINE Whole part_of(Whole, int) { return {}; }
FC_INLINE Part part_of(Part part, int i) { return {part.lanes - i * F32::width}; }

namespace {

constexpr int kFinishRegisters = kInt8Columns / F32::width;

template <Int8Finish::Kind how, Residual which, bool to_codes>
struct FinishKind {
  static constexpr Int8Finish::Kind kind = how;
  static constexpr Residual residual = which;
  static constexpr bool codes = to_codes;
};

// Calls body(FinishKind<...>{}): the switches outside a loop.
template <Int8Finish::Kind kind, bool codes, class Body>
FC_INLINE void with_residual(const Int8Finish& f, const Body& body) {
  switch (f.residual) {
    case Residual::None: return body(FinishKind<kind, Residual::None, codes>{});
    case Residual::Codes: return body(FinishKind<kind, Residual::Codes, codes>{});
    case Residual::Floats: return body(FinishKind<kind, Residual::Floats, codes>{});
  }
}
template <class Body>
FC_INLINE void with_finish(const Int8Finish& f, const Body& body) {
  switch (f.kind) {
    case Int8Finish::Bounds:
      return f.codes ? with_residual<Int8Finish::Bounds, true>(f, body)
                     : with_residual<Int8Finish::Bounds, false>(f, body);
    case Int8Finish::Leaky: return with_residual<Int8Finish::Leaky, true>(f, body);
    case Int8Finish::Any:
      return f.codes ? with_residual<Int8Finish::Any, true>(f, body) : with_residual<Int8Finish::Any, false>(f, body);
  }
}

// kInt8Columns sums of one row, `lanes` saying how many of them are real.
template <class Kind, class Lanes>
FC_INLINE void finish_row(const Int8Finish& f, const I32 (&sum)[kFinishRegisters], const F32 (&scale)[kFinishRegisters],
                          const F32 (&bias)[kFinishRegisters], const void* residual, void* y, Lanes lanes) {
  F32 v[kFinishRegisters];
  for (int i = 0; i < kFinishRegisters; ++i) v[i] = fma(to_f32(sum[i]), scale[i], bias[i]);
  if constexpr (Kind::residual == Residual::Codes) {
    I32 r[kFinishRegisters];
    load_codes(r, static_cast<const std::uint8_t*>(residual), lanes);
    for (int i = 0; i < kFinishRegisters; ++i) v[i] = fma(to_f32(r[i]), set(f.residual_scale), v[i]);
  }
  if constexpr (Kind::residual == Residual::Floats)
    for (int i = 0; i < kFinishRegisters; ++i)
      v[i] = fma(load(static_cast<const float*>(residual) + i * F32::width, part_of(lanes, i)), set(f.residual_scale),
                 v[i]);
  if constexpr (Kind::kind == Int8Finish::Any)
    with_activation(f.epilogue.activation, [&](auto k) {
      for (F32& x : v) x = activate<decltype(k)::kind>(x, f.epilogue.alpha);
    });
  if constexpr (Kind::codes) {
    I32 q[kFinishRegisters];
    for (int i = 0; i < kFinishRegisters; ++i) {
      if constexpr (Kind::kind == Int8Finish::Leaky) v[i] = max(v[i] * set(f.epilogue.alpha), v[i]) + set(f.zero_point);
      if constexpr (Kind::kind == Int8Finish::Any) v[i] = fma(v[i], set(f.inverse), set(f.zero_point));
      q[i] = to_i32(min(set(f.high), v[i]));  // what is below 0, and NaN, is stored as 0
    }
    store_codes(static_cast<std::uint8_t*>(y), q, lanes);
  } else {
    for (int i = 0; i < kFinishRegisters; ++i) {
      if constexpr (Kind::kind == Int8Finish::Bounds) v[i] = min(set(f.high), max(set(f.low), v[i]));  // keeps NaN
      store(static_cast<float*>(y) + i * F32::width, v[i], part_of(lanes, i));
    }
  }
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

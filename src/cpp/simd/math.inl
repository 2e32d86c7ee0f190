// Functions written once over the vector type. Include after simd/avx2.h or simd/avx512.h.
//
// Accuracy in units in the last place, against double sampled over all floats whose result is normal: exp, log, expm1
// 1; tanh, log1p 1.5; softplus 2; sigmoid 2.5; silu 3; mish 5; gelu 9; gelu_tanh 3 (1 + |x|^3), its argument being
// rounded. Below the normal range results are rounded to the denormals there, to within 100 of the smallest. NaN stays
// NaN.
#pragma once

#include "core/epilogue.h"

namespace fastcnn::FC_SIMD {

// max and min that keep a NaN from either side; the plain ones keep it only from the second operand.
FC_INLINE F32 max_nan(F32 a, F32 b) { return select(is_nan(a), a, max(a, b)); }
FC_INLINE F32 min_nan(F32 a, F32 b) { return select(is_nan(a), a, min(a, b)); }

namespace detail {
// e^x = 2^n (1 + q): x = n ln2 + r with |r| <= ln2/2 and a polynomial for e^r - 1 (Cephes).
FC_INLINE F32 exp_parts(F32 x, F32* n) {
  *n = round(x * set(1.44269504088896341f));
  F32 r = fnma(*n, set(0.693359375f), x);
  r = fnma(*n, set(-2.12194440e-4f), r);
  F32 p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  return fma(p, r * r, r);
}
}  // namespace detail

FC_INLINE F32 exp(F32 x) {
  // Below -104 the result rounds to zero; computing it would cost a denormal's penalty for nothing.
  const Mask none = x < set(-104.0f);
  F32 n;
  const F32 q = detail::exp_parts(select(none, zero(), min(set(89.0f), x)), &n);
  return select(none, zero(), scale_by_power(q + set(1.0f), n));
}

// e^x - 1 for x <= 0, without the cancellation near zero.
FC_INLINE F32 expm1_nonpositive(F32 x) {
  F32 n;
  const F32 q = detail::exp_parts(max(set(-18.0f), x), &n);
  const F32 power = scale_by_power(set(1.0f), n);
  return fma(power, q, power - set(1.0f));
}

// x = 2^e m: e ln2 plus a polynomial for log(m) around 1 (Cephes). log(0) = -inf, NaN below.
FC_INLINE F32 log(F32 x) {
  const Mask denormal = x < set(1.17549435e-38f);
  F32 e;
  const F32 f = split_power(select(denormal, x * set(8388608.0f), x), &e) - set(1.0f);
  e = select(denormal, e - set(23.0f), e);
  const F32 z = f * f;
  F32 p = set(7.0376836292e-2f);
  p = fma(p, f, set(-1.1514610310e-1f));
  p = fma(p, f, set(1.1676998740e-1f));
  p = fma(p, f, set(-1.2420140846e-1f));
  p = fma(p, f, set(1.4249322787e-1f));
  p = fma(p, f, set(-1.6668057665e-1f));
  p = fma(p, f, set(2.0000714765e-1f));
  p = fma(p, f, set(-2.4999993993e-1f));
  p = fma(p, f, set(3.3333331174e-1f));
  F32 y = fma(p * z, f, e * set(-2.12194440e-4f));
  y = fma(z, set(-0.5f), y);
  y = fma(e, set(0.693359375f), f + y);
  const F32 infinity = set(__builtin_inff());
  y = select(x < infinity, y, x);  // inf, NaN
  y = select(x == zero(), -infinity, y);
  return select(x < zero(), set(__builtin_nanf("")), y);
}

// log(1 + t) for t in [0, 1]: the logarithm of the rounded sum, corrected for the rounding.
FC_INLINE F32 log1p_unit(F32 t) {
  const F32 sum = set(1.0f) + t;
  return log(sum) + (t - (sum - set(1.0f))) / sum;
}

FC_INLINE F32 sigmoid(F32 x) {
  const F32 e = exp(-abs(x));
  return select(x < zero(), e, set(1.0f)) / (set(1.0f) + e);
}

// tanh: an odd polynomial near zero, where 1 - 2/(e^2x + 1) would cancel, that formula elsewhere (Cephes).
FC_INLINE F32 tanh(F32 x) {
  const F32 a = abs(x), z = x * x;
  F32 p = set(-5.70498872745e-3f);
  p = fma(p, z, set(2.06390887954e-2f));
  p = fma(p, z, set(-5.37397155531e-2f));
  p = fma(p, z, set(1.33314422036e-1f));
  p = fma(p, z, set(-3.33332819422e-1f));
  const F32 small = fma(p * z, a, a);
  const F32 large = set(1.0f) - set(2.0f) / (exp(a + a) + set(1.0f));
  return copysign(select(a < set(0.625f), small, large), x);
}

// log(1 + e^x)
FC_INLINE F32 softplus(F32 x) { return max(zero(), x) + log1p_unit(exp(-abs(x))); }

// x tanh(log(1 + e^x)) = x v / (v + 2) with v = w (w + 2), w = e^x.
FC_INLINE F32 mish(F32 x) {
  const F32 w = exp(min(set(20.0f), x)), v = w * (w + set(2.0f));
  return x * (v / (v + set(2.0f)));
}

// The normal distribution function: its lower tail is e^(-a^2/2) t P(t), t = 1 / (1 + 0.3 a), with a polynomial fitted
// over a <= 14.5, beyond which the tail is below the smallest float. The rounding of a^2 is put back into the power.
FC_INLINE F32 normal_cdf(F32 x) {
  const F32 a = min(set(14.5f), abs(x)), t = set(1.0f) / fma(a, set(0.3f), set(1.0f));
  F32 p = set(-0.0206236709f);
  p = fma(p, t, set(0.112436697f));
  p = fma(p, t, set(-0.228216112f));
  p = fma(p, t, set(0.191787824f));
  p = fma(p, t, set(-0.0794261694f));
  p = fma(p, t, set(0.0961582288f));
  p = fma(p, t, set(0.0783891827f));
  p = fma(p, t, set(0.11023552f));
  p = fma(p, t, set(0.119571805f));
  p = fma(p, t, set(0.119686693f));
  const F32 square = a * a, half_rest = fma(a, a, -square) * set(0.5f);
  const F32 power = exp(square * set(-0.5f));
  const F32 tail = fnma(power, half_rest, power) * (p * t);
  return select(x < zero(), tail, set(1.0f) - tail);
}

FC_INLINE F32 gelu(F32 x) { return x * normal_cdf(x); }

// gelu's tanh approximation: 0.5 (1 + tanh u) = sigmoid(2u).
FC_INLINE F32 gelu_tanh(F32 x) {
  const F32 u = x * fma(x * x, set(0.044715f), set(1.0f));
  return x * sigmoid(u * set(1.5957691216057308f));
}

// Sine and cosine of a turn's part: of 2 pi a, a in [0, 1], taken from the nearest quarter exactly; polynomials of
// Cephes.
FC_INLINE void sin_cos_of_turn(F32 a, F32* sine, F32* cosine) {
  const F32 quarter = round(a * set(4.0f));  // 0 .. 4
  const F32 t = fnma(quarter, set(0.25f), a) * set(6.283185307179586f), z = t * t;
  F32 s = fma(z, set(-1.9515295891e-4f), set(8.3321608736e-3f));
  s = fma(fma(s, z, set(-1.6666654611e-1f)), z * t, t);
  F32 c = fma(z, set(2.443315711809948e-5f), set(-1.388731625493765e-3f));
  c = fma(fma(c, z, set(4.166664568298827e-2f)), z * z, fnma(z, set(0.5f), set(1.0f)));
  const Mask one = quarter == set(1.0f), two = quarter == set(2.0f), three = quarter == set(3.0f);
  const F32 u = select(one | three, c, s), v = select(one | three, s, c);
  *sine = select(two | three, -u, u);
  *cosine = select(one | two, -v, v);
}

FC_INLINE F32 hard_sigmoid(F32 x) { return min(set(6.0f), max(zero(), x + set(3.0f))) * set(1.0f / 6.0f); }

// The activation of an epilogue. `kind` is the same for a whole tensor: callers switch outside their loops
// by instantiating on it.
template <Activation kind>
FC_INLINE F32 activate(F32 x, float alpha) {
  if constexpr (kind == Activation::Linear) return x;
  if constexpr (kind == Activation::Relu) return max(zero(), x);  // a NaN x is the second operand: kept
  if constexpr (kind == Activation::Relu6) return min(set(6.0f), max(zero(), x));
  if constexpr (kind == Activation::LeakyRelu) return select(x < zero(), x * set(alpha), x);
  if constexpr (kind == Activation::Elu) return select(x < zero(), set(alpha) * expm1_nonpositive(x), x);
  if constexpr (kind == Activation::Sigmoid) return sigmoid(x);
  if constexpr (kind == Activation::HardSigmoid) return hard_sigmoid(x);
  if constexpr (kind == Activation::Tanh) return tanh(x);
  if constexpr (kind == Activation::Silu) return x * sigmoid(x);
  if constexpr (kind == Activation::HardSwish) return x * hard_sigmoid(x);
}

// Calls body(ActivationKind<kind>{}): the switch outside a loop.
template <Activation k>
struct ActivationKind {
  static constexpr Activation kind = k;
};

template <class Body>
FC_INLINE void with_activation(Activation kind, const Body& body) {
  switch (kind) {
    case Activation::Linear: return body(ActivationKind<Activation::Linear>{});
    case Activation::Relu: return body(ActivationKind<Activation::Relu>{});
    case Activation::Relu6: return body(ActivationKind<Activation::Relu6>{});
    case Activation::LeakyRelu: return body(ActivationKind<Activation::LeakyRelu>{});
    case Activation::Elu: return body(ActivationKind<Activation::Elu>{});
    case Activation::Sigmoid: return body(ActivationKind<Activation::Sigmoid>{});
    case Activation::HardSigmoid: return body(ActivationKind<Activation::HardSigmoid>{});
    case Activation::Tanh: return body(ActivationKind<Activation::Tanh>{});
    case Activation::Silu: return body(ActivationKind<Activation::Silu>{});
    case Activation::HardSwish: return body(ActivationKind<Activation::HardSwish>{});
  }
}

// An activation that only bounds what it is given; there are no bounds where it is linear.
struct Bounds {
  F32 low = set(-__builtin_inff()), high = set(__builtin_inff());

  FC_INLINE explicit Bounds(Activation a) {
    if (a != Activation::Linear) low = zero();
    if (a == Activation::Relu6) high = set(6.0f);
  }
  // NaN, as the second operand, is kept.
  FC_INLINE F32 operator()(F32 x) const { return min(high, max(low, x)); }
};

}  // namespace fastcnn::FC_SIMD

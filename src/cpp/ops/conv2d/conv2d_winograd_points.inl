// The transforms of Winograd's convolution (the contract: conv2d_winograd.h) in one and in two dimensions, over the
// type F32 of FC_SIMD: a vector of the CPU's, or one float of a thread of CUDA.
#pragma once

#include "core/base.h"

namespace fastcnn::winograd::FC_SIMD {
namespace {

using namespace fastcnn::FC_SIMD;

// The three transforms in one dimension.
template <int m>
struct Points;

template <>
struct Points<2> {
  static FC_INLINE void input(const F32 (&d)[4], F32 (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  static FC_INLINE void output(const F32 (&p)[4], F32 (&y)[2]) {
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = (p[1] - p[2]) + p[3];
  }
  static FC_INLINE void kernel(const F32 (&g)[3], F32 (&u)[4]) {
    const F32 half = set(0.5f), even = (g[0] + g[2]) * half, odd = g[1] * half;
    u[0] = g[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = g[2];
  }
  // The adjoints of output and kernel.
  static FC_INLINE void gradient(const F32 (&y)[2], F32 (&p)[4]) {
    p[0] = y[0];
    p[1] = y[0] + y[1];
    p[2] = y[0] - y[1];
    p[3] = y[1];
  }
  static FC_INLINE void weights(const F32 (&u)[4], F32 (&g)[3]) {
    const F32 half = set(0.5f), even = (u[1] + u[2]) * half;
    g[0] = u[0] + even;
    g[1] = (u[1] - u[2]) * half;
    g[2] = even + u[3];
  }
};

// Points 0, a, -a, b, -b, inf with a = sqrt(1/2), b = sqrt(2).
template <>
struct Points<4> {
  static constexpr float a = 0.70710678118654752f, b = 1.41421356237309505f;

  static FC_INLINE void input(const F32 (&d)[6], F32 (&v)[6]) {
    const F32 sum = set(2.5f);
    v[0] = fnma(sum, d[2], d[0]) + d[4];
    const F32 even_a = fnma(set(2.0f), d[2], d[4]), odd_a = fnma(set(2.0f), d[1], d[3]);
    v[1] = fma(set(a), odd_a, even_a);
    v[2] = fnma(set(a), odd_a, even_a);
    const F32 even_b = fnma(set(0.5f), d[2], d[4]), odd_b = fnma(set(0.5f), d[1], d[3]);
    v[3] = fma(set(b), odd_b, even_b);
    v[4] = fnma(set(b), odd_b, even_b);
    v[5] = fnma(sum, d[3], d[1]) + d[5];
  }
  static FC_INLINE void output(const F32 (&p)[6], F32 (&y)[4]) {
    const F32 even_a = p[1] + p[2], odd_a = p[1] - p[2], even_b = p[3] + p[4], odd_b = p[3] - p[4];
    y[0] = p[0] + (even_a + even_b);
    y[1] = fma(set(a), odd_a, set(b) * odd_b);
    y[2] = fma(set(0.5f), even_a, set(2.0f) * even_b);
    y[3] = fma(set(0.5f * a), odd_a, fma(set(2.0f * b), odd_b, p[5]));
  }
  static FC_INLINE void kernel(const F32 (&g)[3], F32 (&u)[6]) {
    u[0] = g[0];
    const F32 even_a = fma(set(0.5f), g[2], g[0]) * set(-2.0f / 3.0f), odd_a = g[1] * set(-2.0f / 3.0f * a);
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    const F32 even_b = fma(set(2.0f), g[2], g[0]) * set(1.0f / 6.0f), odd_b = g[1] * set(1.0f / 6.0f * b);
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
  // The adjoints of output and kernel.
  static FC_INLINE void gradient(const F32 (&y)[4], F32 (&p)[6]) {
    p[0] = y[0];
    const F32 even_a = fma(set(0.5f), y[2], y[0]), odd_a = fma(set(0.5f), y[3], y[1]);
    p[1] = fma(set(a), odd_a, even_a);
    p[2] = fnma(set(a), odd_a, even_a);
    const F32 even_b = fma(set(2.0f), y[2], y[0]), odd_b = fma(set(2.0f), y[3], y[1]);
    p[3] = fma(set(b), odd_b, even_b);
    p[4] = fnma(set(b), odd_b, even_b);
    p[5] = y[3];
  }
  static FC_INLINE void weights(const F32 (&u)[6], F32 (&g)[3]) {
    const F32 even_a = u[1] + u[2], odd_a = u[1] - u[2], even_b = u[3] + u[4], odd_b = u[3] - u[4];
    g[0] = fma(set(-2.0f / 3.0f), even_a, fma(set(1.0f / 6.0f), even_b, u[0]));
    g[1] = fma(set(-2.0f / 3.0f * a), odd_a, set(1.0f / 6.0f * b) * odd_b);
    g[2] = fma(set(1.0f / 3.0f), even_b - even_a, u[5]);
  }
};

// result[i][j] = the one-dimensional `step` down the columns of load(i, j), then along the rows.
template <int from, int to, class Step, class Load, class Store>
FC_INLINE void transform(const Step& step, const Load& load_at, const Store& store_at) {
  F32 half[to][from];
  FC_UNROLL
  for (int j = 0; j < from; ++j) {
    F32 in[from], out[to];
    FC_UNROLL
    for (int i = 0; i < from; ++i) in[i] = load_at(i, j);
    step(in, out);
    FC_UNROLL
    for (int i = 0; i < to; ++i) half[i][j] = out[i];
  }
  FC_UNROLL
  for (int i = 0; i < to; ++i) {
    F32 out[to];
    step(half[i], out);
    FC_UNROLL
    for (int j = 0; j < to; ++j) store_at(i, j, out[j]);
  }
}

}  // namespace
}  // namespace fastcnn::winograd::FC_SIMD

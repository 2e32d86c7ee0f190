// Computes   the transforms of Winograd's convolution F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3) (the contract:
//            conv2d_winograd.h), one tile after another.
// Layout     pixels NHWC, a vector holds neighbouring channels (filters) of one pixel or position; position p of all
//            tiles lies together, so that the products between the transforms read and write rows.
// Tile       n x n vectors, columns first, then rows: one column is n loads and n results in registers, the n x n
//            between the two steps rest in L1.
// Why        a product of m x m outputs takes n^2 multiply-adds a channel instead of 9 m^2: 2.25 times fewer for m = 2,
//            4 times for m = 4. The points come in pairs +-p, so that a pair shares its even and its odd part: 12
//            operations for 6 inputs.
// Needs      nothing: tails of channels and filters are masked, pixels outside the picture point to zeros.
// Accuracy   F(2): points 0, +-1, inf. F(4): points 0, +-sqrt(1/2), +-sqrt(2), inf, for which the largest coefficients
// are
//            5/2 and 2 sqrt(2), where 0, +-1, +-2, inf have 5 and 8. docs/precision.md gives the bounds. What is not
//            finite in a tile's window makes all of the tile NaN or infinite.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; B. Barabasz et al., Error
//            Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2020.
#include "ops/conv2d/conv2d_winograd.h"
#include "simd/math.inl"
#include "simd/run.inl"

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
#pragma GCC unroll 6
  for (int j = 0; j < from; ++j) {
    F32 in[from], out[to];
#pragma GCC unroll 6
    for (int i = 0; i < from; ++i) in[i] = load_at(i, j);
    step(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < to; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < to; ++i) {
    F32 out[to];
    step(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < to; ++j) store_at(i, j, out[j]);
  }
}

template <int m>
void input(const InputTile& t) {
  constexpr int n = m + 2;
  const auto step = [](const auto& d, auto& v) { Points<m>::input(d, v); };
  each_register(t.channels, [&](std::int64_t c, auto part) {
    transform<n, n>(
        step, [&](int i, int j) { return load(t.pixels[i * n + j] + c, part); },
        [&](int i, int j, F32 v) { store(t.v + (i * n + j) * t.stride + c, v, part); });
  });
}

template <int m>
void output(const OutputTile& t) {
  constexpr int n = m + 2;
  const auto step = [](const auto& p, auto& y) { Points<m>::output(p, y); };
  with_activation(t.activation, [&](auto kind) {
    each_register(t.filters, [&](std::int64_t f, auto part) {
      const F32 bias = t.bias != nullptr ? load(t.bias + f, part) : zero();
      transform<n, m>(
          step, [&](int i, int j) { return load(t.m + (i * n + j) * t.stride + f); },
          [&](int i, int j, F32 sum) {
            if (i >= t.rows || j >= t.columns) return;
            const std::int64_t at = i * t.row + j * t.pixel + f;
            F32 y = sum + bias;
            if (t.residual != nullptr) y = y + load(t.residual + at, part);
            store(t.y + at, activate<kind.kind>(y, t.alpha), part);
          });
    });
  });
}

template <int m>
void kernel(const KernelRow& r) {
  constexpr int n = m + 2;
  const auto step = [](const auto& g, auto& u) { Points<m>::kernel(g, u); };
  for (std::int64_t f = 0; f < r.width; f += F32::width)
    transform<3, n>(
        step, [&](int i, int j) { return load(r.w + (i * 3 + j) * r.tap + f, r.filters - f); },
        [&](int i, int j, F32 u) { store(r.u + (i * n + j) * r.stride + f, u); });
}

template <int m>
void gradient(const GradientTile& t) {
  constexpr int n = m + 2;
  constexpr std::int64_t kWidth = F32::width, kPanel = gemm::kMaxOuterVectors * kWidth;
  const auto step = [](const auto& y, auto& p) { Points<m>::gradient(y, p); };
  each_register(t.filters, [&](std::int64_t f, auto part) {
    const std::int64_t first = f / kPanel * kPanel, width = t.filters - first > kWidth ? kPanel : kWidth;
    float* d = t.d + f / kPanel * t.panel + t.tile * width + f - first;
    transform<m, n>(
        step,
        [&](int i, int j) {
          return i < t.rows && j < t.columns ? load(t.dy + i * t.row + j * t.pixel + f, part) : zero();
        },
        [&](int i, int j, F32 p) { store(d + (i * n + j) * t.stride, p); });
  });
}

template <int m>
void weights(const WeightRow& r) {
  constexpr int n = m + 2;
  const auto step = [](const auto& u, auto& g) { Points<m>::weights(u, g); };
  each_register(r.filters, [&](std::int64_t f, auto part) {
    transform<n, 3>(
        step, [&](int i, int j) { return load(r.u + (i * n + j) * r.stride + f, part); },
        [&](int i, int j, F32 w) { store(r.w + (i * 3 + j) * r.tap + f, w, part); });
  });
}

}  // namespace
}  // namespace fastcnn::winograd::FC_SIMD

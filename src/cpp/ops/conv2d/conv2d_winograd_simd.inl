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
//            are 5/2 and 2 sqrt(2), where 0, +-1, +-2, inf have 5 and 8. docs/precision.md gives the bounds. What is
//            not finite in a tile's window makes all of the tile NaN or infinite.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; B. Barabasz et al., Error
//            Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2020.
#include "ops/conv2d/conv2d_winograd.h"
#include "simd/math.inl"
#include "simd/run.inl"
#include "ops/conv2d/conv2d_winograd_points.inl"

namespace fastcnn::winograd::FC_SIMD {
namespace {

using namespace fastcnn::FC_SIMD;

// Once for each line of what starts at `from`.
template <class Item>
FC_INLINE void call_in(const void* from, std::int64_t at) {
  if (at % (64 / static_cast<std::int64_t>(sizeof(Item))) == 0) __builtin_prefetch(static_cast<const Item*>(from) + at);
}

// Mostly the first two columns are of the window before, too.
template <int m, class Item>
FC_INLINE void call_in_window(const void* const* pixels, std::int64_t at) {
  constexpr int n = m + 2;
  FC_UNROLL
  for (int i = 0; i < n; ++i) FC_UNROLL
  for (int j = 2; j < n; ++j) call_in<Item>(pixels[i * n + j], at);
}

template <int m, class V, class Item>
void input_of(const InputTile& t) {
  constexpr int n = m + 2;
  const auto step = [](const auto& d, auto& v) { Points<m>::input(d, v); };
  each_register(t.channels, [&](std::int64_t c, auto part) {
    call_in_window<m, Item>(t.next, c);
    transform<n, n>(
        step, [&](int i, int j) { return load(static_cast<const Item*>(t.pixels[i * n + j]) + c, part); },
        [&](int i, int j, F32 v) { store(static_cast<V*>(t.v) + (i * n + j) * t.stride + c, v, part); });
  });
}
template <int m, class V = float>
void input(const InputTile& t) {
  t.bf16 ? input_of<m, V, Bf16>(t) : input_of<m, V, float>(t);
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
            if (t.residual != nullptr)
              y = y + (t.bf16_residual ? load(static_cast<const Bf16*>(t.residual) + at, part)
                                       : load(static_cast<const float*>(t.residual) + at, part));
            y = activate<kind.kind>(y, t.alpha);
            t.bf16_y ? store(static_cast<Bf16*>(t.y) + at, y, part) : store(static_cast<float*>(t.y) + at, y, part);
          });
    });
  });
}

template <int m>
void kernel(const KernelRows& r) {
  constexpr int n = m + 2;
  const auto step = [](const auto& g, auto& u) { Points<m>::kernel(g, u); };
  const float* w = r.w;
  auto* u = static_cast<float*>(r.u);
  for (std::int64_t c = 0; c < r.channels; ++c, w += r.channel, u += r.width)
    for (std::int64_t f = 0; f < r.width; f += F32::width)
      transform<3, n>(
          step, [&](int i, int j) { return load(w + (i * 3 + j) * r.tap + f, r.filters - f); },
          [&](int i, int j, F32 v) { stream(u + (i * n + j) * r.stride + f, v); });
  streams_done();
}

// Pixel (i, j) of a tile of dy, from filter f on.
template <class Item, class Part>
FC_INLINE auto load_dy(const GradientItem& t, const DyTile& tile, std::int64_t f, Part part) {
  const Item* dy = static_cast<const Item*>(tile.dy) + f;
  return [dy, row = t.row, pixel = t.pixel, rows = tile.rows, columns = tile.columns, part](int i, int j) {
    return i < rows && j < columns ? load(dy + i * row + j * pixel, part) : zero();
  };
}
template <int m, class Item>
FC_INLINE void call_in_dy(const GradientItem& t, const DyTile& tile, std::int64_t f) {
  FC_UNROLL
  for (int i = 0; i < m; ++i) FC_UNROLL
  for (int j = 0; j < m; ++j) call_in<Item>(static_cast<const Item*>(tile.dy) + i * t.row + j * t.pixel, f);
}
// Where in D filter f lies, a whole number of registers.
FC_INLINE float* place_in_d(const GradientItem& t, std::int64_t f) {
  constexpr std::int64_t kWidth = F32::width, kPanel = gemm::kMaxOuterVectors * kWidth;
  const std::int64_t first = f / kPanel * kPanel, width = t.filters - first > kWidth ? kPanel : kWidth;
  return t.d + f / kPanel * t.panel + t.item * width + f - first;
}

template <int m, class Item>
void gradient_of(const GradientItem& t) {
  constexpr int n = m + 2;
  const auto step = [](const auto& y, auto& p) { Points<m>::gradient(y, p); };
  each_register(t.filters, [&](std::int64_t f, auto part) {
    float* d = place_in_d(t, f);
    call_in_dy<m, Item>(t, *t.next, f);
    transform<m, n>(step, load_dy<Item>(t, *t.tiles, f, part),
                    [&](int i, int j, F32 p) { store(d + (i * n + j) * t.stride, p); });
  });
}
template <int m>
void gradient(const GradientItem& t) {
  t.bf16 ? gradient_of<m, Bf16>(t) : gradient_of<m, float>(t);
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

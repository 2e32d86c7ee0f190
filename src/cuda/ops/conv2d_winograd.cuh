// What Winograd's convolution and its weight gradient share: tiles, and the transform of the pictures.
#pragma once

#include "core/launch.h"
#include "core/scalar.cuh"
#include "gemm/ffma.cuh"
#include "gemm/operand.cuh"
#include "ops/conv2d/conv2d.h"
#include "ops/conv2d/conv2d_winograd_points.inl"

namespace fastcnn::cuda::winograd {

namespace points = fastcnn::winograd::FC_SIMD;
using namespace scalar;
using gemm::Lie;

inline constexpr int kThreads = 256;
inline constexpr std::int64_t kFloat = sizeof(float);

template <int m>
inline constexpr int kPositions = (m + 2) * (m + 2);

// How a picture is cut into tiles.
struct Tiling {
  int m, rows, columns;  // of tiles

  struct Place {
    int picture, i, j;  // the tile's first pixel
  };
  FC_INLINE Place place(int tile) const {
    const int picture = tile / (rows * columns), rest = tile - picture * (rows * columns), row = rest / columns;
    return {picture, row * m, (rest - row * columns) * m};
  }
};

// The pictures x or y of one problem.
struct Pictures {
  int height, width, channels;
  explicit Pictures(const Shape& s)
      : height(static_cast<int>(s[1])), width(static_cast<int>(s[2])), channels(static_cast<int>(s[3])) {}
  // Elements before a pixel; it may lie outside.
  FC_INLINE std::int64_t offset(int picture, int i, int j) const {
    return ((std::int64_t{picture} * height + i) * width + j) * channels;
  }
};

// How a problem is cut.
template <int m>
struct Cut {
  Tiling tiling;
  std::int64_t tiles, channels, filters;
  std::int64_t chunk;  // tiles that go through all steps together

  // Chunks are so many bytes in the transforms, but not fewer than `least` tiles.
  Cut(const Conv2dParams& p, const Shape& y, std::int64_t chunk_bytes, std::int64_t least)
      : tiling{m, static_cast<int>(ceil_div(y[1], m)), static_cast<int>(ceil_div(y[2], m))},
        tiles(y[0] * ceil_div(y[1], m) * ceil_div(y[2], m)),
        channels(p.channels),
        filters(p.filters) {
    const std::int64_t most = chunk_bytes / (kPositions<m> * max_i64(1, channels + filters) * kFloat);
    chunk = max_i64(1, ceil_div(tiles, max_i64(1, ceil_div(tiles, max_i64(least, most)))));
  }
  // From one position to the next, in floats: whole lines of the cache.
  static std::int64_t stride(std::int64_t items) { return round_up(items, 32); }
  std::int64_t weights_stride() const { return stride(channels * filters); }
  std::int64_t channels_stride() const { return stride(chunk * channels); }
  std::int64_t filters_stride() const { return stride(chunk * filters); }
};

// Sizes are counted in 32 bits, with room for what lies around a picture.
template <int m>
const char* declines(const Problem& problem, const Cut<m>& cut, const Shape& y) {
  constexpr std::int64_t kLargest = 1 << 30;
  if (const char* reason = fastcnn::winograd::declines(problem)) return reason;
  if (cut.channels == 0 || cut.filters == 0) return "there is nothing to transform";
  const Shape& x = problem.inputs[0].shape;
  std::int64_t largest =
      max_i64(cut.tiles, max_i64(cut.weights_stride(), max_i64(cut.channels_stride(), cut.filters_stride())));
  for (int axis = 0; axis < 4; ++axis) largest = max_i64(largest, max_i64(x[axis], y[axis]));
  return largest >= kLargest ? "counts tiles and channels in 30 bits" : nullptr;
}

// Where another row is faster: a picture of fewer tiles, fewer channels, more than this share of the direct sum's
// products.
template <int m>
const char* yields(const Cut<m>& cut, const Shape& y) {
  constexpr std::int64_t kFewestTiles = 32, kFewestChannels = 32;
  constexpr double kMostProducts = 0.6;
  if (cut.tiles < kFewestTiles) return "so few tiles cost more to transform the weights for than to multiply";
  if (min_i64(cut.channels, cut.filters) < kFewestChannels)
    return "the transforms of so few channels cost more than they save";
  const double products = static_cast<double>(kPositions<m> * cut.tiles);
  if (products > kMostProducts * 9.0 * static_cast<double>(y[0] * y[1] * y[2]))
    return "too much of its tiles lies outside the picture";
  return nullptr;
}

// A thread for each of the items.
inline Grid grid_of(std::int64_t items) { return {static_cast<unsigned>(ceil_div(items, kThreads)), kThreads}; }
__device__ __forceinline__ int item_of_thread() { return static_cast<int>(blockIdx.x * kThreads + threadIdx.x); }

// V = B^T x B of the tiles from `first` on; `count` of their channels.
template <int m>
__global__ void __launch_bounds__(kThreads)
    transform_input(const float* __restrict__ x, const Pictures pictures, const Tiling tiling, int above, int left,
                    int first, int count, float* __restrict__ v, std::int64_t stride) {
  const int item = item_of_thread();
  if (item >= count) return;
  const int tile = item / pictures.channels, channel = item - tile * pictures.channels;
  const auto [picture, i, j] = tiling.place(first + tile);
  const int top = i - above, start = j - left;
  x += pictures.offset(picture, top, start) + channel;
  v += item;
  const std::int64_t row = std::int64_t{pictures.width} * pictures.channels;
  const auto pixel = [&](int a, int b) {
    const bool inside = static_cast<unsigned>(top + a) < static_cast<unsigned>(pictures.height) &&
                        static_cast<unsigned>(start + b) < static_cast<unsigned>(pictures.width);
    return inside ? x[a * row + std::int64_t{b} * pictures.channels] : 0.0f;
  };
  points::transform<m + 2, m + 2>([](const auto& d, auto& t) { points::Points<m>::input(d, t); }, pixel,
                                  [&](int a, int b, float value) { v[(a * (m + 2) + b) * stride] = value; });
}

}  // namespace fastcnn::cuda::winograd

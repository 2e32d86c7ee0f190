// pool2d_gradient: the gradients of max, average and adaptive average pooling (the contract: pool2d_gradient.h). An
// input pixel gathers from the windows that hold it, so no two threads add to one number.
#include "core/gather_pixels.cuh"
#include "core/lanes.cuh"
#include "ops/pool2d/pool2d_gradient.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kMax[] = "max_pool2d_gradient_f32_cuda", kAvg[] = "avg_pool2d_gradient_f32_cuda";
constexpr char kAdaptive[] = "adaptive_avg_pool2d_gradient_f32_cuda";

// ---- max ------------------------------------------------------------------------------------

// The lanes, as bits, in which a pixel is the maximum of its window.
template <int lanes>
__device__ __forceinline__ unsigned equal_lanes(const Lanes<lanes>& pixel, const Lanes<lanes>& most) {
  unsigned equal = 0;
#pragma unroll
  for (int l = 0; l < lanes; ++l)
    if (pixel[l] == most[l] || (pixel[l] != pixel[l] && most[l] != most[l])) equal |= 1u << l;
  return equal;
}

// Of the lanes `found` of the pixel at (row, column), those in which no pixel before it in its window is the maximum.
template <int lanes>
__device__ __forceinline__ unsigned first_lanes(unsigned found, const Lanes<lanes>& most, const float* picture,
                                                const Shape& shape, const PoolSpan& h, const PoolSpan& w,
                                                std::int64_t row, std::int64_t column) {
  for (std::int64_t p = h.first; p <= row; p += h.step) {
    const std::int64_t end = p < row ? w.first + w.count * w.step : column;
    for (std::int64_t q = w.first; q < end; q += w.step) {
      found &= ~equal_lanes(load<lanes>(picture + (p * shape[2] + q) * shape[3]), most);
      if (found == 0) return 0;
    }
  }
  return found;
}

// Computes   max_pool2d_gradient.
// Layout     NHWC; neighbouring threads have neighbouring channels of an input pixel, then the next pixel.
// Threads    256 a block, each with one or four channels of one input pixel; 66 registers, so three blocks a
//            multiprocessor.
// Why        a pixel compares itself with the maxima that the forward pass left, and only where it is one looks whether
//            it is the first: rarely, and where many are equal an earlier one is soon found. So no indices are kept
//            from the forward pass, and none computed again.
// Bound      by memory: x and y are read, dx written, dy read where it goes somewhere.
// Needs      nothing: windows of any size, stride, dilation and padding.
// Accuracy   sums of as many terms as windows overlap, in the contract's order: the CPU's bits.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads, 3)
    max_gradient(const float* __restrict__ x, const float* __restrict__ y, const float* __restrict__ dy,
                 float* __restrict__ dx, std::int64_t items, Places places, Window2d window, Shape x_shape,
                 Shape y_shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const Lanes<lanes> pixel = load<lanes>(x + item * lanes);
  const PixelRange rows = windows_of(window.h, at.row, y_shape[1]);
  const PixelRange columns = windows_of(window.w, at.column, y_shape[2]);
  const float* picture = x + offset_of(x_shape, at.n, 0, 0, at.channel);
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t i = rows.first; i <= rows.last; ++i) {
    if (!window_holds(window.h, i, at.row)) continue;
    for (std::int64_t j = columns.first; j <= columns.last; ++j) {
      if (!window_holds(window.w, j, at.column)) continue;
      const std::int64_t out = offset_of(y_shape, at.n, i, j, at.channel);
      const Lanes<lanes> most = load<lanes>(y + out);
      unsigned mine = equal_lanes(pixel, most);
      if (mine == 0) continue;
      mine = first_lanes(mine, most, picture, x_shape, window_span(window.h, false, i, x_shape[1]),
                         window_span(window.w, false, j, x_shape[2]), at.row, at.column);
      if (mine == 0) continue;
      const Lanes<lanes> given = load<lanes>(dy + out);
#pragma unroll
      for (int l = 0; l < lanes; ++l)
        if (mine >> l & 1) sum[l] += given[l];
    }
  }
  store(dx + item * lanes, sum);
}

void run_max(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.in[1].shape();
  with_lanes(args, x[3], [&](auto lanes) {
    const std::int64_t items = x.size() / lanes;
    launch(kMax, max_gradient<lanes>, grid_of(items), args, args.in[0].as<float>(), args.in[1].as<float>(),
           args.in[2].as<float>(), args.out[0].as<float>(), items, Places(x, lanes),
           args.problem.as<Pool2dParams>().window, x, y);
  });
}

// ---- average --------------------------------------------------------------------------------

struct Windows {
  Window2d window;
  bool include_pad;
  Shape dy, dx;
  __device__ PixelRange rows(std::int64_t p) const { return windows_of(window.h, p, dy[1]); }
  __device__ PixelRange columns(std::int64_t q) const { return windows_of(window.w, q, dy[2]); }
  __device__ float share(std::int64_t i, std::int64_t j, std::int64_t p, std::int64_t q) const {
    if (!window_holds(window.h, i, p) || !window_holds(window.w, j, q)) return 0.0f;
    const std::int64_t h = window_span(window.h, include_pad, i, dx[1]).counted;
    const std::int64_t w = window_span(window.w, include_pad, j, dx[2]).counted;
    return 1.0f / static_cast<float>(h * w);
  }
};

struct AdaptiveWindows {
  Shape dy, dx;
  __device__ PixelRange rows(std::int64_t p) const { return adaptive_windows_of(p, dx[1], dy[1]); }
  __device__ PixelRange columns(std::int64_t q) const { return adaptive_windows_of(q, dx[2], dy[2]); }
  __device__ float share(std::int64_t i, std::int64_t j, std::int64_t, std::int64_t) const {
    return 1.0f / static_cast<float>(adaptive_span(i, dx[1], dy[1]).count * adaptive_span(j, dx[2], dy[2]).count);
  }
};

void run_avg(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  run_gather_pixels(kAvg, args, Windows{p.window, p.count_include_pad != 0, args.in[0].shape(), args.out[0].shape()});
}

void run_adaptive(const KernelArgs& args) {
  run_gather_pixels(kAdaptive, args, AdaptiveWindows{args.in[0].shape(), args.out[0].shape()});
}

// ---- the rows -------------------------------------------------------------------------------

constexpr KernelInfo kMaxRows[] = {{.name = kMax, .device = Device::Cuda, .run = run_max}};
constexpr KernelInfo kAvgRows[] = {{.name = kAvg, .device = Device::Cuda, .run = run_avg}};
constexpr KernelInfo kAdaptiveRows[] = {{.name = kAdaptive, .device = Device::Cuda, .run = run_adaptive}};

}  // namespace

std::span<const OpRows> pool2d_gradient_rows() {
  static constexpr OpRows rows[] = {
      {"max_pool2d_gradient", kMaxRows},
      {"avg_pool2d_gradient", kAvgRows},
      {"adaptive_avg_pool2d_gradient", kAdaptiveRows},
  };
  return rows;
}

}  // namespace fastcnn::cuda

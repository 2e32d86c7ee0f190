// depthwise_conv2d: every channel convolved with filters of its own (the contract: depthwise_conv2d.h). Small square
// windows by tiles of the picture in shared memory, all others straight from it.
#include "core/activate.cuh"
#include "core/lanes.cuh"
#include "core/ptx.h"
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kTiled[] = "depthwise_conv2d_f32_tiled_cuda", kTaps[] = "depthwise_conv2d_f32_taps_cuda";

// y[index ..] = act(sum + bias + residual), whose first channel is `channel`.
template <int lanes>
__device__ __forceinline__ void finish(Lanes<lanes> sum, const DepthwiseOperands& t, const Epilogue& e,
                                       std::int64_t channel, std::int64_t index) {
  if (t.bias != nullptr) {
    const Lanes<lanes> bias = load<lanes>(t.bias + channel);
#pragma unroll
    for (int l = 0; l < lanes; ++l) sum[l] += bias[l];
  }
  if (t.residual != nullptr) {
    const Lanes<lanes> residual = load<lanes>(t.residual + index);
#pragma unroll
    for (int l = 0; l < lanes; ++l) sum[l] += residual[l];
  }
#pragma unroll
  for (int l = 0; l < lanes; ++l) sum[l] = activate(e.activation, sum[l], e.alpha);
  store(t.y + index, sum);
}

template <int lanes>
__device__ __forceinline__ void add_products(Lanes<lanes>& sum, const Lanes<lanes>& a, const Lanes<lanes>& b) {
#pragma unroll
  for (int l = 0; l < lanes; ++l) sum[l] = fmaf(a[l], b[l], sum[l]);
}

// ---- tiles ----------------------------------------------------------------------------------

// A block's outputs: 8 rows of two strips, times 32 channels, four a thread.
template <int size, int stride>
struct Tile {
  static constexpr int kQuads = 8, kRows = 8, kStrips = 2, kStrip = stride == 1 ? 4 : 2;
  static constexpr int kColumns = kStrips * kStrip, kThreads = kQuads * kRows * kStrips;
  static constexpr int kInRows = (kRows - 1) * stride + size, kInColumns = (kColumns - 1) * stride + size;
  static constexpr int kInStrip = (kStrip - 1) * stride + size;

  static Shape blocks(const Shape& y) {
    Shape blocks = y;
    blocks[1] = ceil_div(y[1], kRows), blocks[2] = ceil_div(y[2], kColumns), blocks[3] = ceil_div(y[3], kQuads * 4);
    return blocks;
  }
};

// Computes   depthwise_conv2d for windows of 3x3 and 5x5 of strides 1 and 2, one filter a channel.
// Layout     NHWC; eight neighbouring threads hold 32 channels of a pixel, a line of 128 bytes.
// Threads    128: 8 x 8 outputs (stride 2: 8 x 4), a thread a strip of 4 (2) of a row, four channels each: 16 (8) sums
//            and a row of 5 to 8 input pixels among 56 to 74 registers. Shared memory: the tile of the picture and the
//            filters, 10x10x128 + 9x128 = 14 KB (3x3), 17x9: 21 KB (stride 2), 12x12: 22 KB (5x5), 19x11: 30 KB (both).
// Why        a pixel is used by size^2 / stride^2 outputs: it comes once into shared memory, asynchronously and as
//            zeros where there is none, and once for each row of the window into registers. With several blocks a
//            multiprocessor, one computes while others load, so a block needs no second buffer.
// Bound      by memory; 5x5 of stride 1 by reads of shared memory, at about the same speed.
// Needs      channels in fours, aligned to 16 bytes. Below sm_80 copies are not asynchronous.
// Accuracy   sums in the contract's order, fused.
template <int size, int stride>
__global__ void __launch_bounds__(Tile<size, stride>::kThreads)
    convolve_tile(DepthwiseOperands t, Epilogue e, Places blocks, Shape x, Shape y, int before_h, int before_w) {
  using T = Tile<size, stride>;
  FC_SHARED(Lanes<4>, picture, [T::kInRows * T::kInColumns * T::kQuads]);
  FC_SHARED(Lanes<4>, filters, [size * size * T::kQuads]);
  const Place block = blocks.of<1>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x), quad = thread % T::kQuads;
  const std::int64_t channel = (block.channel * T::kQuads + quad) * 4;
  const std::int64_t top = block.row * T::kRows, left = block.column * T::kColumns;

  const bool any = channel < x[3];
  for (int k = thread / T::kQuads; k < T::kInRows * T::kInColumns; k += T::kThreads / T::kQuads) {
    const std::int64_t row = top * stride - before_h + k / T::kInColumns;
    const std::int64_t column = left * stride - before_w + k % T::kInColumns;
    const bool inside = any && row >= 0 && row < x[1] && column >= 0 && column < x[2];
    copy_async<16>(&picture[k * T::kQuads + quad], inside ? t.x + offset_of(x, block.n, row, column, channel) : t.x,
                   inside ? 16 : 0);
  }
  for (int k = thread / T::kQuads; k < size * size; k += T::kThreads / T::kQuads)
    copy_async<16>(&filters[k * T::kQuads + quad], any ? t.w + k * x[3] + channel : t.w, any ? 16 : 0);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();

  const int strip = thread / T::kQuads % T::kStrips, down = thread / (T::kQuads * T::kStrips);
  Lanes<4> sum[T::kStrip];
#pragma unroll
  for (int s = 0; s < T::kStrip; ++s) sum[s] = all_lanes<4>(0.0f);
#pragma unroll 1  // else filters of all rows would be loaded ahead
  for (int a = 0; a < size; ++a) {
    const int first = (down * stride + a) * T::kInColumns + strip * T::kStrip * stride;
    Lanes<4> line[T::kInStrip];
#pragma unroll
    for (int q = 0; q < T::kInStrip; ++q) line[q] = picture[(first + q) * T::kQuads + quad];
#pragma unroll
    for (int b = 0; b < size; ++b) {
      const Lanes<4> filter = filters[(a * size + b) * T::kQuads + quad];
#pragma unroll
      for (int s = 0; s < T::kStrip; ++s) add_products(sum[s], line[s * stride + b], filter);
    }
  }

  const std::int64_t row = top + down, column = left + strip * T::kStrip;
  if (!any || row >= y[1]) return;
  // The strip moves through its first register, so that activations are there once.
#pragma unroll 1
  for (int s = 0; s < T::kStrip && column + s < y[2]; ++s) {
    finish(sum[0], t, e, channel, offset_of(y, block.n, row, column + s, channel));
#pragma unroll
    for (int k = 1; k < T::kStrip; ++k) sum[k - 1] = sum[k];
  }
}

template <int size, int stride>
void launch_tiles(const KernelArgs& args) {
  using T = Tile<size, stride>;
  const auto& p = args.problem.as<DepthwiseParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape(), blocks = T::blocks(y);
  const Grid grid{dim3(static_cast<unsigned>(blocks.size())), dim3(T::kThreads)};
  launch(kTiled, convolve_tile<size, stride>, grid, args, depthwise_operands(args), p.epilogue, Places(blocks, 1), x, y,
         p.window.h.before, p.window.w.before);
}

const char* not_tiled(const Problem& problem) {
  const WindowAxis &h = problem.as<DepthwiseParams>().window.h, &w = problem.as<DepthwiseParams>().window.w;
  if (h.size != w.size || (h.size != 3 && h.size != 5)) return "has tiles for windows of 3x3 and 5x5";
  if (h.stride != w.stride || h.stride > 2) return "has tiles for strides 1 and 2";
  if (h.dilation != 1 || w.dilation != 1) return "has no tiles for dilation";
  const Shape &filters = problem.inputs[1].shape, &y = problem.outputs[0].shape;
  if (filters[3] != 1) return "has one filter a channel";
  if (filters[2] % 4 != 0) return "reads channels in fours";
  if (Tile<3, 1>::blocks(y).size() >> 30 != 0) return "there are more tiles than a grid has blocks";
  return nullptr;
}

// ---- straight from the picture --------------------------------------------------------------

// Computes   depthwise_conv2d.
// Layout     NHWC; neighbouring threads have neighbouring channels of an output pixel, then the next pixel.
// Threads    256, each with one output, or four channels where each has one filter.
// Why        for windows that tiles are not made for, the first-level cache keeps what neighbouring outputs share.
// Bound      by reads of that cache.
// Needs      nothing: any window, any number of filters a channel.
// Accuracy   sums in the contract's order, fused.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads)
    convolve_taps(DepthwiseOperands t, Epilogue e, Window2d window, std::int64_t items, Places places,
                  Divisor multiplier, Shape x, Shape y) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place out = places.of<lanes>(item);
  const WindowAxis &h = window.h, &w = window.w;
  std::int64_t filter;
  const std::int64_t channel = multiplier.divide(out.channel, &filter);
  const std::int64_t first_a = h.first_tap(out.row), last_a = h.last_tap(out.row, x[1]);
  const std::int64_t first_b = w.first_tap(out.column), last_b = w.last_tap(out.column, x[2]);
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t a = first_a; a < last_a; ++a)
    for (std::int64_t b = first_b; b < last_b; ++b) {
      const std::int64_t row = h.start(out.row) + a * h.dilation, column = w.start(out.column) + b * w.dilation;
      add_products(sum, load<lanes>(t.x + offset_of(x, out.n, row, column, channel)),
                   load<lanes>(t.w + (a * w.size + b) * y[3] + out.channel));
    }
  finish(sum, t, e, out.channel, item * lanes);
}

// ---- the rows: best first -------------------------------------------------------------------

void run_taps(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t multiplier = args.in[1].shape()[3];
  with_lanes(args, multiplier == 1 ? y[3] : 1, [&](auto lanes) {
    const std::int64_t items = y.size() / lanes;
    launch(kTaps, convolve_taps<lanes>, grid_of(items), args, depthwise_operands(args), p.epilogue, p.window, items,
           Places(y, lanes), Divisor(multiplier), x, y);
  });
}

// Operands of users may lie anywhere: then they are read one by one.
void run_tiled(const KernelArgs& args) {
  with_lanes(args, args.out[0].shape()[3], [&](auto lanes) {
    if constexpr (lanes == 1) return run_taps(args);
    const WindowAxis& h = args.problem.as<DepthwiseParams>().window.h;
    if (h.size == 3)
      h.stride == 1 ? launch_tiles<3, 1>(args) : launch_tiles<3, 2>(args);
    else
      h.stride == 1 ? launch_tiles<5, 1>(args) : launch_tiles<5, 2>(args);
  });
}

constexpr KernelInfo kRows[] = {
    {.name = kTiled, .device = Device::Cuda, .run = run_tiled, .declines = not_tiled},
    {.name = kTaps, .device = Device::Cuda, .run = run_taps},
};

}  // namespace

std::span<const OpRows> depthwise_conv2d_rows() {
  static constexpr OpRows rows[] = {{"depthwise_conv2d", kRows}};
  return rows;
}

}  // namespace fastcnn::cuda

// What depthwise_conv2d's gradient is made of (the contract: depthwise_gradients.h). The filters' is a sum over all
// pixels: blocks sum parts of it, which are added in their order.
#include "core/lanes.cuh"
#include "ops/depthwise_conv2d/depthwise_gradients.h"
#include "ops/pixel_range.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kWindow[] = "depthwise_conv2d_weight_gradient_f32_window_cuda";
constexpr char kTaps[] = "depthwise_conv2d_weight_gradient_f32_taps_cuda";
constexpr char kData[] = "depthwise_conv2d_data_gradient_f32_cuda";

// ---- the filters' ---------------------------------------------------------------------------

constexpr int kTeams = kItemThreads / kWarp;  // warps of a block: each has 32 channels of other pixels

// How the sum is shared out, by shapes alone. A piece is a stretch of a row of outputs, which a warp walks along.
struct Pieces {
  static constexpr std::int64_t kColumns = 32;
  std::int64_t in_row, count;  // pieces
  std::int64_t each;           // pieces that a warp adds up
  std::int64_t parts;          // blocks that share the sum of one filter
  std::int64_t groups;         // of 32 channels of dy

  // `taps`: of the window, for which there are blocks of their own.
  Pieces(const Shape& dy, std::int64_t taps) {
    in_row = ceil_div(dy[2], kColumns);
    count = dy[0] * dy[1] * in_row;
    groups = ceil_div(dy[3], kWarp);
    constexpr std::int64_t kBlocks = 1024, kMostParts = 256;  // enough to fill a device; few enough to add up
    const std::int64_t wanted = min_i64(kMostParts, ceil_div(kBlocks, max_i64(1, groups * taps)));
    each = max_i64(1, ceil_div(count, wanted * kTeams));
    parts = max_i64(1, ceil_div(count, each * kTeams));
  }
  Shape blocks(std::int64_t taps) const { return Shape{{1, parts, taps, groups}, 4}; }
};

// What all pixels of the window of a kernel have in common.
struct WeightGradient {
  const float *x, *dy;
  float* out;  // the sums of each part, part by part
  Shape x_shape, dy_shape;
  WindowAxis h, w;
  Divisor multiplier, in_row, rows;  // filters a channel; pieces of a row of outputs; rows of a picture
  Pieces pieces;
};

// Computes   depthwise_conv2d_weight_gradient, one part of the sum a block.
// Layout     NHWC; the lanes of a warp are 32 neighbouring channels of dy.
// Threads    256: 8 warps, each with pieces of rows of its own. A thread keeps size x size sums, and the pixels of x
//            under the window, of which `stride` columns are new at every step; 18 to 50 registers of them. They meet
//            in shared memory, 9 KB (3x3) or 25 KB (5x5), where the warps' sums are added in order. size = 1: the block
//            has one tap of a window of any size, stride and dilation; 1 KB.
// Why        reading along a row, each element of dy and nearly each of x comes once into a register for `size`
//            products.
// Bound      by memory; of one tap by reads of the caches.
// Needs      strides alike and no dilation where size > 1.
// Accuracy   chains of pixels / (8 parts) terms, fused; then 8, then the parts.
template <int size, int stride>
__global__ void __launch_bounds__(kItemThreads, size == 5 ? 1 : 2) weight_gradient(WeightGradient g, Places blocks) {
  constexpr int kKept = size > stride ? size - stride : 0;  // columns of x that the next pixel has, too
  FC_SHARED(float, teams, [kTeams][size * size][kWarp]);
  const Place block = blocks.of<1>(blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, team = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t filter = block.channel * kWarp + lane, channels = g.dy_shape[3];
  std::int64_t tap_row = 0, tap_column = 0, rest;
  if constexpr (size == 1) {
    tap_row = divide(block.column, g.w.size) * g.h.dilation;
    tap_column = (block.column - divide(block.column, g.w.size) * g.w.size) * g.w.dilation;
  }

  float sum[size][size] = {};
  if (filter < channels) {
    const std::int64_t channel = g.multiplier.divide(filter, &rest);
    const std::int64_t first = (block.row * kTeams + team) * g.pieces.each;
    const std::int64_t end = min_i64(g.pieces.count, first + g.pieces.each);
    for (std::int64_t piece = first; piece < end; ++piece) {
      std::int64_t begin, i;
      const std::int64_t n = g.rows.divide(g.in_row.divide(piece, &begin), &i);
      begin *= Pieces::kColumns;
      const std::int64_t row = g.h.start(i) + tap_row;
      const float* picture = g.x + n * g.x_shape.product(1, 4) + channel;
      const auto row_inside = [&](int a) { return row + a >= 0 && row + a < g.x_shape[1]; };
      const auto column_inside = [&](std::int64_t q) { return q >= 0 && q < g.x_shape[2]; };
      const auto pixel = [&](int a, std::int64_t q) {
        return row_inside(a) && column_inside(q) ? picture[((row + a) * g.x_shape[2] + q) * g.x_shape[3]] : 0.0f;
      };
      float window[size][size];
      std::int64_t column = g.w.start(begin) + tap_column;
#pragma unroll
      for (int a = 0; a < size; ++a)
#pragma unroll
        for (int b = 0; b < kKept; ++b) window[a][b] = pixel(a, column + b);
      const std::int64_t last = min_i64(g.dy_shape[2], begin + Pieces::kColumns);
      for (std::int64_t j = begin; j < last; ++j, column += g.w.stride) {
        const float given = g.dy[offset_of(g.dy_shape, n, i, j, filter)];
#pragma unroll
        for (int a = 0; a < size; ++a) {
#pragma unroll
          for (int b = kKept; b < size; ++b) window[a][b] = pixel(a, column + b);
          // Pixels outside are left out, not zeros: `given` may be Inf or NaN.
#pragma unroll
          for (int b = 0; b < size; ++b)
            if (row_inside(a) && column_inside(column + b)) sum[a][b] = fmaf(window[a][b], given, sum[a][b]);
#pragma unroll
          for (int b = 0; b < kKept; ++b) window[a][b] = window[a][b + size - kKept];
        }
      }
    }
  }
#pragma unroll
  for (int a = 0; a < size; ++a)
#pragma unroll
    for (int b = 0; b < size; ++b) teams[team][a * size + b][lane] = sum[a][b];
  __syncthreads();

  if (filter >= channels) return;
  for (int tap = team; tap < size * size; tap += kTeams) {
    float total = teams[0][tap][lane];
#pragma unroll
    for (int k = 1; k < kTeams; ++k) total += teams[k][tap][lane];
    const std::int64_t at = size == 1 ? block.column : tap;
    g.out[(block.row * g.h.size * g.w.size + at) * channels + filter] = total;
  }
}

// dw = the sum of `parts`, in their order: a block has 32 filters, its warps every eighth part.
__global__ void __launch_bounds__(kItemThreads)
    add_parts(const float* __restrict__ parts, float* __restrict__ dw, std::int64_t count, std::int64_t filters) {
  FC_SHARED(float, teams, [kTeams][kWarp]);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, team = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t filter = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
  float sum = 0.0f;
  if (filter < filters)
    for (std::int64_t part = team; part < count; part += kTeams) sum += parts[part * filters + filter];
  teams[team][lane] = sum;
  __syncthreads();
  if (team != 0 || filter >= filters) return;
#pragma unroll
  for (int k = 1; k < kTeams; ++k) sum += teams[k][lane];
  dw[filter] = sum;
}

// size 1: a tap a block; else all of the window.
template <int size>
std::int64_t block_taps(const Problem& problem) {
  const Window2d& window = problem.as<DepthwiseGradientParams>().window;
  return size == 1 ? window.h.size * window.w.size : 1;
}

template <int size, int stride>
void launch_weight(const char* name, const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseGradientParams>();
  const Shape &x = args.in[0].shape(), &dy = args.in[1].shape();
  const std::int64_t taps = block_taps<size>(args.problem), filters = args.out[0].shape().size();
  const Pieces pieces(dy, taps);
  float *dw = args.out[0].as<float>(), *parts = pieces.parts == 1 ? dw : static_cast<float*>(args.workspace);
  const WeightGradient g{
      args.in[0].as<float>(),          args.in[1].as<float>(), parts,          x,     dy, p.window.h, p.window.w,
      Divisor(args.out[0].shape()[3]), Divisor(pieces.in_row), Divisor(dy[1]), pieces};
  const Shape blocks = pieces.blocks(taps);
  const Grid grid{dim3(static_cast<unsigned>(blocks.size())), dim3(kItemThreads)};
  launch(name, weight_gradient<size, stride>, grid, args, g, Places(blocks, 1));
  if (pieces.parts == 1) return;
  const Grid joins{dim3(static_cast<unsigned>(ceil_div(filters, kWarp))), dim3(kItemThreads)};
  launch(name, add_parts, joins, args, parts, dw, pieces.parts, filters);
}

template <int size>
std::int64_t parts_workspace(const Problem& problem) {
  const std::int64_t parts = Pieces(problem.inputs[1].shape, block_taps<size>(problem)).parts;
  return parts == 1 ? 0 : parts * problem.outputs[0].bytes();
}

void run_window(const KernelArgs& args) {
  const WindowAxis& h = args.problem.as<DepthwiseGradientParams>().window.h;
  if (h.size == 3)
    h.stride == 1 ? launch_weight<3, 1>(kWindow, args) : launch_weight<3, 2>(kWindow, args);
  else
    h.stride == 1 ? launch_weight<5, 1>(kWindow, args) : launch_weight<5, 2>(kWindow, args);
}

const char* not_small_window(const Problem& problem) {
  const auto& [h, w] = problem.as<DepthwiseGradientParams>().window;
  if (h.size != w.size || (h.size != 3 && h.size != 5)) return "is for windows of 3x3 and 5x5";
  if (h.stride != w.stride || h.stride > 2) return "is for strides 1 and 2";
  if (h.dilation != 1 || w.dilation != 1) return "does no dilation";
  return nullptr;
}

// ---- the picture's --------------------------------------------------------------------------

// Computes   depthwise_conv2d_data_gradient.
// Layout     NHWC; neighbouring threads have neighbouring channels of an input pixel, then the next pixel.
// Threads    256, each with one channel of a pixel, or four where each has one filter.
// Why        an input pixel gathers from the windows that hold it, of strides above 1 few: it is written once, and only
//            the taps that reach it are looked at. Of stride 1 the gradient is a convolution, and planned as one.
// Bound      by memory, of large windows by reads of the first-level cache.
// Needs      nothing: any window, any number of filters a channel.
// Accuracy   sums over windows in their order, then filters, fused.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads, 3)
    data_gradient(const float* __restrict__ dy, const float* __restrict__ filters, float* __restrict__ dx,
                  std::int64_t items, Places places, Window2d window, Shape dy_shape, std::int64_t multiplier) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const WindowAxis &h = window.h, &w = window.w;
  const PixelRange rows = windows_of(h, at.row, dy_shape[1]), columns = windows_of(w, at.column, dy_shape[2]);
  const std::int64_t several = lanes == 1 ? multiplier : 1;
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t i = rows.first; i <= rows.last; ++i) {
    if (!window_holds(h, i, at.row)) continue;
    const std::int64_t a = divide(at.row - h.start(i), h.dilation);
    for (std::int64_t j = columns.first; j <= columns.last; ++j) {
      if (!window_holds(w, j, at.column)) continue;
      const std::int64_t b = divide(at.column - w.start(j), w.dilation);
      const float* given = dy + offset_of(dy_shape, at.n, i, j, at.channel * several);
      const float* filter = filters + (a * w.size + b) * dy_shape[3] + at.channel * several;
      for (std::int64_t m = 0; m < several; ++m) {
        const Lanes<lanes> u = load<lanes>(given + m), v = load<lanes>(filter + m);
#pragma unroll
        for (int l = 0; l < lanes; ++l) sum[l] = fmaf(u[l], v[l], sum[l]);
      }
    }
  }
  store(dx + item * lanes, sum);
}

void run_data(const KernelArgs& args) {
  const Shape& dx = args.out[0].shape();
  const std::int64_t multiplier = args.in[1].shape()[3];
  with_lanes(args, multiplier == 1 ? dx[3] : 1, [&](auto lanes) {
    const std::int64_t items = dx.size() / lanes;
    launch(kData, data_gradient<lanes>, grid_of(items), args, args.in[0].as<float>(), args.in[1].as<float>(),
           args.out[0].as<float>(), items, Places(dx, lanes), args.problem.as<DepthwiseGradientParams>().window,
           args.in[0].shape(), multiplier);
  });
}

// ---- the rows: best first -------------------------------------------------------------------

constexpr KernelInfo kWeightRows[] = {
    {.name = kWindow,
     .device = Device::Cuda,
     .run = run_window,
     .declines = not_small_window,
     .workspace = parts_workspace<3>},
    {.name = kTaps,
     .device = Device::Cuda,
     .run = [](const KernelArgs& args) { launch_weight<1, 1>(kTaps, args); },
     .workspace = parts_workspace<1>},
};

constexpr KernelInfo kDataRows[] = {{.name = kData, .device = Device::Cuda, .run = run_data}};

}  // namespace

std::span<const OpRows> depthwise_gradients_rows() {
  static constexpr OpRows rows[] = {
      {"depthwise_conv2d_weight_gradient", kWeightRows},
      {"depthwise_conv2d_data_gradient", kDataRows},
  };
  return rows;
}

}  // namespace fastcnn::cuda

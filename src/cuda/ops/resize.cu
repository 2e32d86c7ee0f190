// resize and its gradient (the contract: resize.h).
#include "core/gather_pixels.cuh"
#include "core/lanes.cuh"
#include "core/strided_copy.h"
#include "ops/resize/resize.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kBilinear[] = "resize_f32_bilinear_cuda", kNearest[] = "resize_any_nearest_cuda";
constexpr char kGradient[] = "resize_gradient_f32_cuda";

// ---- forward --------------------------------------------------------------------------------

// Computes   bilinear resizing.
// Layout     NHWC; neighbouring threads have neighbouring channels of an output pixel, then the next pixel.
// Threads    256 a block, each with one or four channels of one output.
// Why        the four pixels of an output are those of its neighbours, too, and in the first-level cache; where they
//            lie is found anew for each thread, which costs less than to read it from a table.
// Bound      by memory.
// Needs      nothing.
// Accuracy   three roundings more than exact; places are the CPU's, bit by bit.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads)
    blend_pixels(const float* __restrict__ x, float* __restrict__ y, std::int64_t items, Places places,
                 Coordinate coordinate, Shape x_shape, Shape y_shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const BilinearTap h = bilinear_tap(coordinate, at.row, x_shape[1], y_shape[1]);
  const BilinearTap w = bilinear_tap(coordinate, at.column, x_shape[2], y_shape[2]);
  const auto pixel = [&](std::int64_t row, std::int64_t column) {
    return load<lanes>(x + offset_of(x_shape, at.n, row, column, at.channel));
  };
  const Lanes<lanes> a = pixel(h.first, w.first), b = pixel(h.first, w.second);
  const Lanes<lanes> c = pixel(h.second, w.first), d = pixel(h.second, w.second);
  Lanes<lanes> result;
#pragma unroll
  for (int l = 0; l < lanes; ++l) {
    const float top = (1.0f - w.share) * a[l] + w.share * b[l], bottom = (1.0f - w.share) * c[l] + w.share * d[l];
    result[l] = (1.0f - h.share) * top + h.share * bottom;
  }
  store(y + item * lanes, result);
}

void run_bilinear(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  with_lanes(args, y[3], [&](auto lanes) {
    const std::int64_t items = y.size() / lanes;
    launch(kBilinear, blend_pixels<lanes>, grid_of(items), args, args.in[0].as<float>(), args.out[0].as<float>(), items,
           Places(y, lanes), args.problem.as<ResizeParams>().coordinate, x, y);
  });
}

// Computes   nearest resizing of any dtype: the channels of a pixel are copied as items of 1 to 16 bytes.
// Layout, Threads, Why, Bound and Needs as blend_pixels, an item a thread.
// Accuracy   exact.
template <class Item>
__global__ void __launch_bounds__(kItemThreads)
    copy_pixels(const Item* __restrict__ x, Item* __restrict__ y, std::int64_t items, Places places,
                Coordinate coordinate, Shape x_shape, Shape y_shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<1>(item);
  const std::int64_t row = nearest_source(coordinate, at.row, x_shape[1], y_shape[1]);
  const std::int64_t column = nearest_source(coordinate, at.column, x_shape[2], y_shape[2]);
  y[item] = x[offset_of(x_shape, at.n, row, column, at.channel)];
}

void run_nearest(const KernelArgs& args) {
  Shape x = args.in[0].shape(), y = args.out[0].shape();
  const std::int64_t pixel = x[3] * item_size(args.in[0].type.dtype);
  const std::int64_t bytes = widest_item(args.in[0].data, args.out[0].data, pixel);
  x[3] = y[3] = pixel / bytes;
  with_item(bytes, [&](auto item) {
    using Item = decltype(item);
    launch(kNearest, copy_pixels<Item>, grid_of(y.size()), args, args.in[0].as<Item>(), args.out[0].as<Item>(),
           y.size(), Places(y, 1), args.problem.as<ResizeParams>().coordinate, x, y);
  });
}

const char* not_bilinear(const Problem& problem) {
  return problem.as<ResizeParams>().bilinear ? nullptr : "does bilinear only";
}

const char* not_nearest(const Problem& problem) {
  return problem.as<ResizeParams>().bilinear ? "does nearest only" : nullptr;
}

// ---- gradient -------------------------------------------------------------------------------

// Along one axis: what every output takes, and which outputs take of every input pixel.
struct AxisTables {
  std::int64_t in, out;
  BilinearTap* taps;   // of outputs
  PixelRange* takers;  // of inputs
};

// The first of 0 .. count - 1 for which `holds`, which then holds for all after it; count: for none.
template <class Holds>
__device__ __forceinline__ std::int64_t first_where(std::int64_t count, const Holds& holds) {
  std::int64_t first = 0;
  while (count > 0) {
    const std::int64_t half = count / 2;
    if (holds(first + half)) {
      count = half;
    } else {
      first += half + 1;
      count -= half + 1;
    }
  }
  return first;
}

// A thread an entry. Places do not decrease, so the outputs that take of a pixel are neighbours, found by halving.
__global__ void __launch_bounds__(kItemThreads) fill_tables(ResizeParams p, AxisTables h, AxisTables w) {
  const bool along_h = blockIdx.y == 0;
  const AxisTables t{along_h ? h.in : w.in, along_h ? h.out : w.out, along_h ? h.taps : w.taps,
                     along_h ? h.takers : w.takers};
  const std::int64_t i = item_of_thread(), pixel = i - t.out;
  if (i < t.out) {
    t.taps[i] = resize_tap(p, i, t.in, t.out);
  } else if (pixel < t.in) {
    const std::int64_t first =
        first_where(t.out, [&](auto k) { return resize_tap(p, k, t.in, t.out).second >= pixel; });
    const std::int64_t end = first_where(t.out, [&](auto k) { return resize_tap(p, k, t.in, t.out).first > pixel; });
    t.takers[pixel] = {first, end - 1};
  }
}

struct TableTakers {
  const BilinearTap *taps_h, *taps_w;
  const PixelRange *takers_h, *takers_w;
  __device__ PixelRange rows(std::int64_t p) const { return takers_h[p]; }
  __device__ PixelRange columns(std::int64_t q) const { return takers_w[q]; }
  __device__ float share(std::int64_t i, std::int64_t j, std::int64_t p, std::int64_t q) const {
    return share_of(taps_h[i], p) * share_of(taps_w[j], q);
  }
};

void run_gradient(const KernelArgs& args) {
  const Shape &dx = args.out[0].shape(), &dy = args.in[0].shape();
  auto* taps = static_cast<BilinearTap*>(args.workspace);
  auto* takers = reinterpret_cast<PixelRange*>(taps + dy[1] + dy[2]);
  const AxisTables h{dx[1], dy[1], taps, takers}, w{dx[2], dy[2], taps + dy[1], takers + dx[1]};
  Grid grid = grid_of(max_i64(h.in + h.out, w.in + w.out));
  grid.blocks.y = 2;
  launch(kGradient, fill_tables, grid, args, args.problem.as<ResizeParams>(), h, w);
  run_gather_pixels(kGradient, args, TableTakers{h.taps, w.taps, h.takers, w.takers});
}

std::int64_t tables_workspace(const Problem& problem) {
  const Shape &dx = problem.outputs[0].shape, &dy = problem.inputs[0].shape;
  return (dy[1] + dy[2]) * static_cast<std::int64_t>(sizeof(BilinearTap)) +
         (dx[1] + dx[2]) * static_cast<std::int64_t>(sizeof(PixelRange));
}

// ---- the rows -------------------------------------------------------------------------------

constexpr KernelInfo kRows[] = {
    {.name = kBilinear, .device = Device::Cuda, .run = run_bilinear, .declines = not_bilinear},
    {.name = kNearest, .device = Device::Cuda, .run = run_nearest, .declines = not_nearest},
};

constexpr KernelInfo kGradientRows[] = {
    {.name = kGradient, .device = Device::Cuda, .run = run_gradient, .workspace = tables_workspace}};

}  // namespace

std::span<const OpRows> resize_rows() {
  static constexpr OpRows rows[] = {{"resize", kRows}, {"resize_gradient", kGradientRows}};
  return rows;
}

}  // namespace fastcnn::cuda

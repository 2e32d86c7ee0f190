// pool2d: max, average and adaptive average pooling, and where maxima are: the room to read first.
//
// A room on the device has the same three parts as on the CPU.
//
// The contract is the CPU's own header, ops/pool2d/pool2d.h: what is computed, the corner cases, the parameters, and
// functions of windows (window_span), which device code calls as they stand.
//
// The kernels are __global__ templates. What differs between ops is a functor that they are given: what is done with a
// pixel (Max, Average) and which pixels an output reads (Windows, AdaptiveWindows).
//
// The rows, at the end: a name, a function run() on the host that chooses a template's arguments from the shapes and
// launches it, and why a row declines or yields. pool2d_rows() hands them to the registry (ops/rows.h); a plan for the
// device then chooses among them as among the CPU's, best first.
//
// run() gets operands in device memory and only launches: it does not wait, allocate or copy. Results that are empty
// are never asked for. The gradients are in pool2d_gradient.cu.
#include "core/lanes.cuh"
#include "core/reduce.cuh"
#include "ops/pool2d/pool2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kMaxSlices[] = "max_pool2d_f32_slices_cuda", kMax[] = "max_pool2d_f32_cuda";
constexpr char kIndices[] = "max_pool2d_indices_f32_cuda";
constexpr char kAvgSlices[] = "avg_pool2d_f32_slices_cuda", kAvg[] = "avg_pool2d_f32_cuda";
constexpr char kAdaptiveSlices[] = "adaptive_avg_pool2d_f32_slices_cuda", kAdaptive[] = "adaptive_avg_pool2d_f32_cuda";

// ---- what is done with the pixels of a window -----------------------------------------------

struct Max {
  using Combine = Larger;  // of what is so far and a pixel
  static __device__ float start() { return -__builtin_inff(); }
  static __device__ float finish(float acc, float) { return acc; }
};

struct Average {
  using Combine = Add;
  static __device__ float start() { return 0.0f; }
  static __device__ float finish(float acc, float share) { return acc * share; }
};

template <class Reduce, int lanes>
__device__ __forceinline__ void take(Lanes<lanes>& acc, const Lanes<lanes>& pixel) {
#pragma unroll
  for (int l = 0; l < lanes; ++l) acc[l] = typename Reduce::Combine()(pixel[l], acc[l]);
}

template <class Reduce, int lanes>
__device__ __forceinline__ Lanes<lanes> finished(Lanes<lanes> acc, const PoolSpan& h, const PoolSpan& w) {
  // An empty window sums to 0, and 0 times 1 is the 0 that the contract asks for.
  const float share = 1.0f / static_cast<float>(max_i64(1, h.counted * w.counted));
#pragma unroll
  for (int l = 0; l < lanes; ++l) acc[l] = Reduce::finish(acc[l], share);
  return acc;
}

// ---- which pixels an output reads -----------------------------------------------------------

struct Windows {
  Window2d window;
  bool include_pad;
  Shape x, y;
  explicit Windows(const Problem& problem)
      : window(problem.as<Pool2dParams>().window),
        include_pad(problem.as<Pool2dParams>().count_include_pad != 0),
        x(problem.inputs[0].shape),
        y(problem.outputs[0].shape) {}
  __device__ PoolSpan rows(std::int64_t i) const { return window_span(window.h, include_pad, i, x[1]); }
  __device__ PoolSpan columns(std::int64_t j) const { return window_span(window.w, include_pad, j, x[2]); }
  std::int64_t most_pixels() const { return window.h.size * window.w.size; }
};

struct AdaptiveWindows {
  Shape x, y;
  explicit AdaptiveWindows(const Problem& problem) : x(problem.inputs[0].shape), y(problem.outputs[0].shape) {}
  __device__ PoolSpan rows(std::int64_t i) const { return adaptive_span(i, x[1], y[1]); }
  __device__ PoolSpan columns(std::int64_t j) const { return adaptive_span(j, x[2], y[2]); }
  std::int64_t most_pixels() const { return (ceil_div(x[1], y[1]) + 1) * (ceil_div(x[2], y[2]) + 1); }
};

// ---- a thread a window ----------------------------------------------------------------------

// Computes   max, average and adaptive average pooling.
// Layout     NHWC in and out; neighbouring threads have neighbouring channels of an output pixel, then the next pixel.
// Threads    256 a block, each with one or four channels of one output, which it keeps in registers over the window; at
//            most 64 registers, so four blocks a multiprocessor.
// Why        every pixel is used by at most window / stride^2 outputs, of which neighbours run on one multiprocessor
//            at about the same time, so the first-level cache holds what a tile in shared memory would; whole lines are
//            read since threads go along channels, whatever the window.
// Bound      by memory. Four channels a thread pay for finding the window once.
// Needs      nothing: windows of any size, stride, dilation and padding, any number of channels.
// Accuracy   max is exact; averages add the window in the contract's order, and multiply by the reciprocal of the
//            count: one rounding more than a division, which would be a subroutine for each channel.
template <class Reduce, class Spans, int lanes>
__global__ void __launch_bounds__(kItemThreads, 4)
    pool_windows(const float* __restrict__ x, float* __restrict__ y, std::int64_t items, Places places, Spans spans) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place out = places.of<lanes>(item);
  const PoolSpan h = spans.rows(out.row), w = spans.columns(out.column);
  const std::int64_t right = w.step * spans.x[3], down = h.step * spans.x[2] * spans.x[3];
  const float* row = x + offset_of(spans.x, out.n, h.first, w.first, out.channel);
  Lanes<lanes> acc = all_lanes<lanes>(Reduce::start());
  for (std::int64_t a = 0; a < h.count; ++a, row += down) {
    const float* pixel = row;
    for (std::int64_t b = 0; b < w.count; ++b, pixel += right) take<Reduce>(acc, load<lanes>(pixel));
  }
  store(y + item * lanes, finished<Reduce>(acc, h, w));
}

template <const char* name, class Reduce, class Spans>
void run_windows(const KernelArgs& args) {
  const Spans spans(args.problem);
  with_lanes(args, spans.y[3], [&](auto lanes) {
    const std::int64_t items = spans.y.size() / lanes;
    launch(name, pool_windows<Reduce, Spans, lanes>, grid_of(items), args, args.in[0].as<float>(),
           args.out[0].as<float>(), items, Places(spans.y, lanes), spans);
  });
}

// ---- many threads a window ------------------------------------------------------------------

// How the pixels of large windows are shared out, by shapes alone, so that sums have one order.
struct Split {
  int across;           // threads along channels, a power of two; the block's others are along the window's pixels
  std::int64_t groups;  // of so many threads' channels
  int slices;           // blocks that share a window

  Split(const Shape& y, std::int64_t most_pixels, int lanes) {
    const std::int64_t vectors = max_i64(1, ceil_div(y[3], lanes));
    for (across = 1; across < kWarp && across < vectors;) across *= 2;
    groups = ceil_div(vectors, across);
    // As many blocks as fill a device, but each thread several pixels.
    constexpr std::int64_t kBlocks = 512, kPixels = 8;
    const std::int64_t wanted = ceil_div(kBlocks, max_i64(1, y.product(0, 3)) * groups);
    const std::int64_t possible = ceil_div(most_pixels, kItemThreads / across * kPixels);
    slices = static_cast<int>(min_i64(wanted, possible));
  }
};

// Computes   the same where windows are large and outputs few, as in global pooling: blocks share a window, and the
//            threads of a block the pixels of its slice.
// Layout     NHWC; with several slices, `out` has each slice's result for all of y, slice by slice.
// Threads    256 a block: `across` along the channels of an output, the others every so many pixels of the slice; their
//            results meet in shared memory, 1 or 4 KB, in a tree. Every thread one accumulator of one or four channels.
// Why        an output's window is much longer than there are outputs to fill the device with; a warp still reads
//            whole lines of neighbouring channels.
// Bound      by memory.
// Needs      nothing.
// Accuracy   max is exact; sums have one order that the shapes set, of shorter chains than the contract's.
template <class Reduce, class Spans, int lanes>
__global__ void __launch_bounds__(kItemThreads)
    pool_slices(const float* __restrict__ x, float* __restrict__ out, Places places, Spans spans, Split split) {
  FC_SHARED(Lanes<lanes>, partial, [kItemThreads]);
  const int thread = static_cast<int>(threadIdx.x), along = kItemThreads / split.across;
  const Place at = places.of<1>(blockIdx.x);
  const std::int64_t channel = (at.channel * split.across + thread % split.across) * lanes;
  const PoolSpan h = spans.rows(at.row), w = spans.columns(at.column);
  const std::int64_t pixels = h.count * w.count, slice = ceil_div(pixels, split.slices);
  const std::int64_t end = min_i64(pixels, (blockIdx.y + 1) * slice);

  Lanes<lanes> acc = all_lanes<lanes>(Reduce::start());
  if (channel < spans.y[3])
    for (std::int64_t k = blockIdx.y * slice + thread / split.across; k < end; k += along) {
      const std::int64_t a = divide(k, w.count), b = k - a * w.count;
      take<Reduce>(acc, load<lanes>(x + offset_of(spans.x, at.n, h.first + a * h.step, w.first + b * w.step, channel)));
    }

  partial[thread] = acc;
  for (int half = kItemThreads / 2; half >= split.across; half /= 2) {
    __syncthreads();
    if (thread < half) {
      take<Reduce>(acc, partial[thread + half]);
      partial[thread] = acc;
    }
  }
  if (thread >= split.across || channel >= spans.y[3]) return;
  if (split.slices == 1) acc = finished<Reduce>(acc, h, w);
  store(out + blockIdx.y * spans.y.size() + offset_of(spans.y, at.n, at.row, at.column, channel), acc);
}

// Puts slices together, in their order: a thread one or four channels of an output.
template <class Reduce, class Spans, int lanes>
__global__ void __launch_bounds__(kItemThreads)
    join_slices(const float* __restrict__ parts, float* __restrict__ y, std::int64_t items, Places places, Spans spans,
                int slices) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place out = places.of<lanes>(item);
  Lanes<lanes> acc = load<lanes>(parts + item * lanes);
  for (int slice = 1; slice < slices; ++slice) take<Reduce>(acc, load<lanes>(parts + (slice * items + item) * lanes));
  store(y + item * lanes, finished<Reduce>(acc, spans.rows(out.row), spans.columns(out.column)));
}

template <const char* name, class Reduce, class Spans>
void run_slices(const KernelArgs& args) {
  const Spans spans(args.problem);
  with_lanes(args, spans.y[3], [&](auto lanes) {
    const Split split(spans.y, spans.most_pixels(), lanes);
    const std::int64_t items = spans.y.size() / lanes;
    Shape blocks = spans.y;
    blocks[3] = split.groups;
    float *y = args.out[0].as<float>(), *parts = split.slices == 1 ? y : static_cast<float*>(args.workspace);
    const Grid grid{dim3(static_cast<unsigned>(blocks.size()), static_cast<unsigned>(split.slices)),
                    dim3(kItemThreads)};
    launch(name, pool_slices<Reduce, Spans, lanes>, grid, args, args.in[0].as<float>(), parts, Places(blocks, 1), spans,
           split);
    if (split.slices > 1)
      launch(name, join_slices<Reduce, Spans, lanes>, grid_of(items), args, parts, y, items, Places(spans.y, lanes),
             spans, split.slices);
  });
}

// For either number of lanes: it is not known yet whether operands will be aligned.
template <class Spans>
std::int64_t slices_workspace(const Problem& problem) {
  const Spans spans(problem);
  const auto of_lanes = [&](int lanes) { return Split(spans.y, spans.most_pixels(), lanes).slices; };
  const std::int64_t slices = max_i64(of_lanes(1), of_lanes(4));
  return slices == 1 ? 0 : slices * problem.outputs[0].bytes();
}

const char* slices_decline(const Problem& problem) {
  return problem.outputs[0].shape.size() > (1 << 18) ? "there are enough outputs for a thread each" : nullptr;
}

template <class Spans>
const char* slices_yield(const Problem& problem) {
  return Spans(problem).most_pixels() < 32 ? "windows are small" : nullptr;
}

// ---- where maxima are -----------------------------------------------------------------------

// Computes   max_pool2d_indices.
// Layout     as pool_windows, a channel a thread: results of 8 bytes fill lines as they are.
// Threads    256 a block.
// Why, Bound as pool_windows.
// Needs      nothing.
// Accuracy   exact.
__global__ void __launch_bounds__(kItemThreads) find_maxima(const float* __restrict__ x, std::int64_t* __restrict__ y,
                                                            std::int64_t items, Places places, Windows spans) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place out = places.of<1>(item);
  const PoolSpan h = spans.rows(out.row), w = spans.columns(out.column);
  std::int64_t best = -1;
  float most = 0.0f;
  const float* picture = x + offset_of(spans.x, out.n, 0, 0, out.channel);
  for (std::int64_t a = 0; a < h.count; ++a) {
    std::int64_t place = (h.first + a * h.step) * spans.x[2] + w.first;
    for (std::int64_t b = 0; b < w.count; ++b, place += w.step) {
      const float value = picture[place * spans.x[3]];
      if (best >= 0 && !(value > most) && !(value != value && most == most)) continue;
      most = value;
      best = place;
    }
  }
  y[item] = best;
}

void run_indices(const KernelArgs& args) {
  const Windows spans(args.problem);
  const std::int64_t items = spans.y.size();
  launch(kIndices, find_maxima, grid_of(items), args, args.in[0].as<float>(), args.out[0].as<std::int64_t>(), items,
         Places(spans.y, 1), spans);
}

// ---- the rows: best first -------------------------------------------------------------------

constexpr KernelInfo kMaxRows[] = {
    {.name = kMaxSlices,
     .device = Device::Cuda,
     .run = run_slices<kMaxSlices, Max, Windows>,
     .declines = slices_decline,
     .yields = slices_yield<Windows>,
     .workspace = slices_workspace<Windows>},
    {.name = kMax, .device = Device::Cuda, .run = run_windows<kMax, Max, Windows>},
};

constexpr KernelInfo kIndicesRows[] = {{.name = kIndices, .device = Device::Cuda, .run = run_indices}};

constexpr KernelInfo kAvgRows[] = {
    {.name = kAvgSlices,
     .device = Device::Cuda,
     .run = run_slices<kAvgSlices, Average, Windows>,
     .declines = slices_decline,
     .yields = slices_yield<Windows>,
     .workspace = slices_workspace<Windows>},
    {.name = kAvg, .device = Device::Cuda, .run = run_windows<kAvg, Average, Windows>},
};

constexpr KernelInfo kAdaptiveRows[] = {
    {.name = kAdaptiveSlices,
     .device = Device::Cuda,
     .run = run_slices<kAdaptiveSlices, Average, AdaptiveWindows>,
     .declines = slices_decline,
     .yields = slices_yield<AdaptiveWindows>,
     .workspace = slices_workspace<AdaptiveWindows>},
    {.name = kAdaptive, .device = Device::Cuda, .run = run_windows<kAdaptive, Average, AdaptiveWindows>},
};

}  // namespace

std::span<const OpRows> pool2d_rows() {
  static constexpr OpRows rows[] = {
      {"max_pool2d", kMaxRows},
      {"max_pool2d_indices", kIndicesRows},
      {"avg_pool2d", kAvgRows},
      {"adaptive_avg_pool2d", kAdaptiveRows},
  };
  return rows;
}

}  // namespace fastcnn::cuda

// resample: elements along an axis as mixtures of few others, and its gradient (the contract: resample.h).
#include "core/lanes.cuh"
#include "ops/pixel_range.h"
#include "ops/resample/resample.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kForward[] = "resample_f32_cuda", kGradient[] = "resample_gradient_f32_cuda";

// A tensor as (outer, axis, inner) around the axis.
Shape around(const Shape& shape, std::int64_t axis) {
  const int a = static_cast<int>(axis);
  return {{1, shape.product(0, a), shape[a], shape.product(a + 1, shape.rank)}, 4};
}

template <int lanes>
__device__ __forceinline__ void add_product(Lanes<lanes>& sum, float weight, const Lanes<lanes>& value) {
#pragma unroll
  for (int l = 0; l < lanes; ++l) sum[l] = fmaf(weight, value[l], sum[l]);
}

// Computes   resample.
// Layout     (outer, axis, inner); neighbouring threads have neighbouring inner elements, then the next of the axis.
// Threads    256 a block, each with one or four inner elements of one output.
// Why        outputs beside each other take of the same elements, which the first-level cache holds, like their taps.
// Bound      by memory, of many taps by reads of that cache.
// Needs      nothing.
// Accuracy   sums in the contract's order, fused.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads) mix(const float* __restrict__ x, float* __restrict__ y,
                                                    std::int64_t items, Places places, ResampleTaps t, Shape shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t k = at.column * t.taps; k < (at.column + 1) * t.taps; ++k) {
    const std::int64_t index = t.index[k];
    if (index >= 0 && index < shape[2])
      add_product(sum, t.weight[k], load<lanes>(x + offset_of(shape, 0, at.row, index, at.channel)));
  }
  store(y + item * lanes, sum);
}

void run_forward(const KernelArgs& args) {
  const std::int64_t axis = args.problem.as<ResampleParams>().axis;
  const Shape x = around(args.in[0].shape(), axis), y = around(args.out[0].shape(), axis);
  with_lanes(args, y[3], [&](auto lanes) {
    const std::int64_t items = y.size() / lanes;
    launch(kForward, mix<lanes>, grid_of(items), args, args.in[0].as<float>(), args.out[0].as<float>(), items,
           Places(y, lanes), ResampleTaps(args), x);
  });
}

// ---- gradient -------------------------------------------------------------------------------

// The taps, counted through, among which those of each element of x lie: from the first to the last of them. As
// unsigned numbers, whose smallest and largest atomic functions find whatever the order.
struct TapRange {
  unsigned long long first, end;
};

__global__ void __launch_bounds__(kItemThreads) clear_ranges(TapRange* ranges, std::int64_t size) {
  const std::int64_t i = item_of_thread();
  if (i < size) ranges[i] = {~0ull, 0};
}

__global__ void __launch_bounds__(kItemThreads) find_ranges(TapRange* ranges, std::int64_t size, ResampleTaps t) {
  const std::int64_t k = item_of_thread();
  if (k >= t.outputs * t.taps || t.index[k] < 0 || t.index[k] >= size) return;
  TapRange& range = ranges[t.index[k]];
  atomicMin(&range.first, static_cast<unsigned long long>(k));
  atomicMax(&range.end, static_cast<unsigned long long>(k + 1));
}

// Computes   resample_gradient.
// Layout     (outer, axis, inner); neighbouring threads have neighbouring inner elements, then the next of the axis.
// Threads    256 a block, each with one or four inner elements of one element of the axis of dx.
// Why        an element gathers from the taps that are its own, so it is written once and has one order. Those of a
//            resized axis lie close together: it looks through the taps from its first to its last.
// Bound      by reads of the first-level cache.
// Needs      the ranges, 16 bytes for each element of the axis, as workspace.
// Accuracy   sums in the contract's order, fused.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads)
    gather_taps(const float* __restrict__ dy, float* __restrict__ dx, std::int64_t items, Places places, ResampleTaps t,
                const TapRange* __restrict__ ranges, Shape shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const std::int64_t first = static_cast<std::int64_t>(ranges[at.column].first);
  const std::int64_t end = static_cast<std::int64_t>(ranges[at.column].end);
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  if (end > 0) {
    std::int64_t output = divide(first, t.taps), k = output * t.taps;
    for (; k < end; ++output)
      for (const std::int64_t next = k + t.taps; k < next; ++k)
        if (t.index[k] == at.column)
          add_product(sum, t.weight[k], load<lanes>(dy + offset_of(shape, 0, at.row, output, at.channel)));
  }
  store(dx + item * lanes, sum);
}

void run_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ResampleParams>();
  const Shape dx = around(args.out[0].shape(), p.axis), dy = around(args.in[0].shape(), p.axis);
  const ResampleTaps t(args);
  auto* ranges = static_cast<TapRange*>(args.workspace);
  launch(kGradient, clear_ranges, grid_of(p.size), args, ranges, p.size);
  if (t.outputs * t.taps > 0) launch(kGradient, find_ranges, grid_of(t.outputs * t.taps), args, ranges, p.size, t);
  with_lanes(args, dx[3], [&](auto lanes) {
    const std::int64_t items = dx.size() / lanes;
    launch(kGradient, gather_taps<lanes>, grid_of(items), args, args.in[0].as<float>(), args.out[0].as<float>(), items,
           Places(dx, lanes), t, ranges, dy);
  });
}

std::int64_t ranges_workspace(const Problem& problem) {
  return problem.as<ResampleParams>().size * static_cast<std::int64_t>(sizeof(TapRange));
}

// ---- the rows -------------------------------------------------------------------------------

constexpr KernelInfo kRows[] = {{.name = kForward, .device = Device::Cuda, .run = run_forward}};
constexpr KernelInfo kGradientRows[] = {
    {.name = kGradient, .device = Device::Cuda, .run = run_gradient, .workspace = ranges_workspace}};

}  // namespace

std::span<const OpRows> resample_rows() {
  static constexpr OpRows rows[] = {{"resample", kRows}, {"resample_gradient", kGradientRows}};
  return rows;
}

}  // namespace fastcnn::cuda

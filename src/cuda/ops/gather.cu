// The CUDA rows of the gather room.
//
// Computes   take, take_along_axis and their gradients (the contract: ops/gather/gather.h).
// Layout     x as (outer, size, inner) around the axis; items of 1, 2, 4, 8 or 16 bytes, for take as wide as a run of
//            `inner` elements allows.
// Threads    256. pick: 4 items each, 256 apart. add_picked: a block owns up to 2048 elements of dx, `width` <= 64
//            neighbouring ones of each of several rows; shared memory: these sums, a list of 256 picks: 9.3 KB.
//            add_along: a column (outer, inner) of dx each.
// Why        gradients add in the order of the indices without atomics: an element of dx belongs to one thread. A block
//            looks at all indices, 256 at a time, and lists those of its rows in their order.
// Bound by   memory; add_picked by the reading of indices, size / rows times, where size and their number are large.
//            add_along, where there are few columns, by the latency of one addition after the other.
// Needs      nothing.
// Accuracy   copies are exact, gradients sums in the order of the indices.
#include "ops/gather/gather.h"

#include "core/divide.cuh"
#include "core/strided_copy.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr int kThreads = 256, kItems = 4, kWarps = kThreads / kWarp;
constexpr int kSums = 2048, kMaxWidth = 64;

constexpr const char *kTake = "take_any_cuda", *kTakeGradient = "take_gradient_f32_cuda";
constexpr const char *kAlong = "take_along_axis_any_cuda", *kAlongGradient = "take_along_axis_gradient_f32_cuda";

// y as rows (outer, picks) of `run` items; its index is that of the row's place among the picks, or (`along`) of each
// item itself.
template <class Item, bool along>
__global__ __launch_bounds__(kThreads) void pick(const Item* x, const Tensor indices, Item* y, std::int64_t items,
                                                 const Divisor run, const Divisor picks, std::int64_t size,
                                                 std::int64_t run_items) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (kThreads * kItems) + threadIdx.x;
  Item item[kItems];
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const std::int64_t i = first + k * kThreads;
    item[k] = Item{};
    if (i >= items) continue;
    std::int64_t within, place;
    const std::int64_t outer = picks.divide(run.divide(i, &within), &place);
    const std::int64_t at = gathered_from(index_at(indices, along ? i : place), size);
    if (at >= 0) item[k] = x[(outer * size + at) * run_items + within];
  }
#pragma unroll
  for (int k = 0; k < kItems; ++k)
    if (first + k * kThreads < items) y[first + k * kThreads] = item[k];
}

struct Adding {
  std::int64_t picks, size, inner;
  std::int64_t own_indices;      // 1: each outer position has indices of its own
  std::int64_t windows, across;  // blocks along the axis and along inner
  std::int32_t rows, width;      // of a block's part of dx
};

// dx[o, s, i] = the sum of dy[o, j, i] over the j whose index is s.
__global__ __launch_bounds__(kThreads) void add_picked(const float* dy, const Tensor indices, float* dx,
                                                       const Adding a) {
  FC_SHARED(float, sums, [kSums]);
  FC_SHARED(int, listed, [kThreads]);  // place among the 256 * kSums + row of the block
  FC_SHARED(int, found, [kWarps]);     // by each warp
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const std::int64_t window = blockIdx.x / a.across, outer = window / a.windows;
  const std::int64_t first_row = (window - outer * a.windows) * a.rows;
  const int owners = kThreads / a.width, owner = thread / a.width;  // owner k has the rows k, k + owners, ...
  const int column = thread % a.width;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x % a.across) * a.width + column;
  const bool owns = owner < owners && i < a.inner;
  if (owns)
    for (int r = owner; r < a.rows; r += owners) sums[r * a.width + column] = 0.0f;

  const std::int64_t indices_from = a.own_indices * outer * a.picks;
  for (std::int64_t j = 0; j < a.picks; j += kThreads) {
    std::int64_t row = -1;
    if (j + thread < a.picks) {
      const std::int64_t at = gathered_from(index_at(indices, indices_from + j + thread), a.size);
      if (at >= first_row && at < first_row + a.rows) row = at - first_row;
    }
    const unsigned matches = __ballot_sync(kAllLanes, row >= 0);
    if (lane == 0) found[warp] = __popc(matches);
    __syncthreads();  // and the last list has been read
    int place = __popc(matches & ((1u << lane) - 1)), count = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) place += found[w];
      count += found[w];
    }
    if (row >= 0) listed[place] = thread * kSums + static_cast<int>(row);
    __syncthreads();
    for (int k = 0; k < count; ++k) {
      const int r = listed[k] % kSums, t = listed[k] / kSums;
      if (owns && r % owners == owner) sums[r * a.width + column] += dy[(outer * a.picks + j + t) * a.inner + i];
    }
  }
  if (!owns) return;
  for (int r = owner; r < a.rows && first_row + r < a.size; r += owners)
    dx[(outer * a.size + first_row + r) * a.inner + i] = sums[r * a.width + column];
}

// dx[o, s, i] = the sum of dy[o, j, i] over the j with index[o, j, i] = s.
__global__ __launch_bounds__(kThreads) void add_along(const float* dy, const Tensor indices, float* dx,
                                                      std::int64_t columns, std::int64_t picks, std::int64_t size,
                                                      std::int64_t inner) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (column >= columns) return;
  const std::int64_t outer = column / inner, i = column - outer * inner;
  float* to = dx + outer * size * inner + i;
  for (std::int64_t s = 0; s < size; ++s) to[s * inner] = 0.0f;
  for (std::int64_t j = 0, e = outer * picks * inner + i; j < picks; ++j, e += inner) {
    const std::int64_t at = gathered_from(index_at(indices, e), size);
    if (at >= 0) to[at * inner] += dy[e];
  }
}

Grid grid_of(std::int64_t blocks) { return {static_cast<unsigned>(blocks), kThreads}; }

template <bool along>
void run_pick(const char* name, const KernelArgs& args, std::int64_t picks) {
  const GatherAround x(args.in[0].shape(), args.problem.as<GatherParams>().axis);
  const std::int64_t dtype_bytes = item_size(args.in[0].type.dtype), run = x.inner * dtype_bytes;
  const std::int64_t bytes = along ? dtype_bytes : widest_item(args.in[0].data, args.out[0].data, run);
  with_item(bytes, [&](auto type) {
    using Item = decltype(type);
    const std::int64_t items = args.out[0].type.bytes() / bytes;
    launch(name, pick<Item, along>, grid_of(ceil_div(items, kThreads * kItems)), args, args.in[0].as<Item>(),
           args.in[1], args.out[0].as<Item>(), items, Divisor(run / bytes), Divisor(picks), x.size, run / bytes);
  });
}

void run_take(const KernelArgs& args) { run_pick<false>(kTake, args, args.in[1].shape().size()); }

void run_along(const KernelArgs& args) {
  run_pick<true>(kAlong, args, GatherAround(args.out[0].shape(), args.problem.as<GatherParams>().axis).size);
}

void run_add_picked(const char* name, const KernelArgs& args, const GatherAround& dx, std::int64_t picks,
                    bool own_indices) {
  Adding a{.picks = picks, .size = dx.size, .inner = dx.inner, .own_indices = own_indices};
  a.across = ceil_div(dx.inner, kMaxWidth);
  a.width = static_cast<std::int32_t>(ceil_div(dx.inner, a.across));
  a.rows = static_cast<std::int32_t>(min_i64(dx.size, kSums / a.width));
  a.windows = ceil_div(dx.size, a.rows);
  launch(name, add_picked, grid_of(dx.outer * a.windows * a.across), args, args.in[0].as<float>(), args.in[1],
         args.out[0].as<float>(), a);
}

void run_take_gradient(const KernelArgs& args) {
  const GatherAround dx(args.out[0].shape(), args.problem.as<GatherParams>().axis);
  run_add_picked(kTakeGradient, args, dx, args.in[1].shape().size(), false);
}

void run_along_gradient(const KernelArgs& args) {
  const std::int64_t axis = args.problem.as<GatherParams>().axis;
  const GatherAround dx(args.out[0].shape(), axis), dy(args.in[0].shape(), axis);
  if (dx.inner == 1) return run_add_picked(kAlongGradient, args, dx, dy.size, true);
  const std::int64_t columns = dx.outer * dx.inner;
  launch(kAlongGradient, add_along, grid_of(ceil_div(columns, kThreads)), args, args.in[0].as<float>(), args.in[1],
         args.out[0].as<float>(), columns, dy.size, dx.size, dx.inner);
}

constexpr KernelInfo kTakeRows[] = {{.name = kTake, .device = Device::Cuda, .run = run_take}};
constexpr KernelInfo kTakeGradientRows[] = {{.name = kTakeGradient, .device = Device::Cuda, .run = run_take_gradient}};
constexpr KernelInfo kAlongRows[] = {{.name = kAlong, .device = Device::Cuda, .run = run_along}};
constexpr KernelInfo kAlongGradientRows[] = {
    {.name = kAlongGradient, .device = Device::Cuda, .run = run_along_gradient}};
constexpr OpRows kOps[] = {{"take", kTakeRows},
                           {"take_gradient", kTakeGradientRows},
                           {"take_along_axis", kAlongRows},
                           {"take_along_axis_gradient", kAlongGradientRows}};

}  // namespace

std::span<const OpRows> gather_rows() { return kOps; }

}  // namespace fastcnn::cuda

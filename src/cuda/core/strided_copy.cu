// Computes   element (i0, i1, ...) from `from + sum(i * from_step)` to `to + sum(i * to_step)` (the contract:
//            ops/strided_copy.h).
// Layout     any steps; items of 1, 2, 4, 8 or 16 bytes, as wide as addresses, steps and the innermost run allow.
// Tile       copy_items: 256 threads, 4 items each, 256 apart. copy_tiles: 32 x 8 threads, a tile of 32 x 32 items in
//            shared memory (4 KB of floats, 16.5 KB of the widest items), whose rows are one item longer than that.
// Why        neighbouring threads write neighbouring items, and read them where the layouts agree. Where the innermost
//            axes differ, a tile is read along the one and written along the other; its longer rows keep the reads of
//            a column in different banks. Four loads under way hide the latency of memory.
// Bound by   memory.
// Needs      nothing.
// Accuracy   exact.
#include "core/divide.cuh"
#include "core/strided_copy.h"

namespace fastcnn::cuda {
namespace {

constexpr int kThreads = 256, kItems = 4;
constexpr int kTile = 32, kTileRows = kThreads / kTile;
constexpr std::int64_t kFewest = 8;  // rows and columns worth a tile

// The axes of a box, innermost first.
struct Axes {
  int rank = 0;
  std::int64_t count = 1;  // positions
  Divisor size[kMaxRank];
  std::int64_t from_step[kMaxRank], to_step[kMaxRank];

  __device__ __forceinline__ void offsets(std::int64_t index, std::int64_t& from, std::int64_t& to) const {
    from = to = 0;
    for (int a = 0; a + 1 < rank; ++a) {
      std::int64_t i;
      index = size[a].divide(index, &i);
      from += i * from_step[a];
      to += i * to_step[a];
    }
    if (rank > 0) {
      from += index * from_step[rank - 1];
      to += index * to_step[rank - 1];
    }
  }
};

template <class Item>
__global__ __launch_bounds__(kThreads) void copy_items(const unsigned char* from, unsigned char* to, const Axes axes) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (kThreads * kItems) + threadIdx.x;
  Item item[kItems];
  std::int64_t target[kItems];
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const std::int64_t i = first + k * kThreads;
    if (i >= axes.count) continue;
    std::int64_t source;
    axes.offsets(i, source, target[k]);
    item[k] = *reinterpret_cast<const Item*>(from + source);
  }
#pragma unroll
  for (int k = 0; k < kItems; ++k)
    if (first + k * kThreads < axes.count) *reinterpret_cast<Item*>(to + target[k]) = item[k];
}

// Rows x cols items for each position of `outer`: (r, c) from `r * from_pitch + c * item` to `c * to_pitch + r * item`.
template <class Item>
__global__ __launch_bounds__(kThreads) void copy_tiles(const unsigned char* from, unsigned char* to, const Axes outer,
                                                       const Divisor across, const Divisor down, std::int64_t rows,
                                                       std::int64_t cols, std::int64_t from_pitch,
                                                       std::int64_t to_pitch) {
  FC_SHARED(Item, tile, [kTile][kTile + 1]);
  std::int64_t first_col, first_row, source, target;
  outer.offsets(down.divide(across.divide(blockIdx.x, &first_col), &first_row), source, target);
  first_col *= kTile, first_row *= kTile;
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(Item));
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  from += source + first_row * from_pitch + (first_col + x) * kBytes;
  to += target + first_col * to_pitch + (first_row + x) * kBytes;
#pragma unroll
  for (int r = y; r < kTile; r += kTileRows)
    if (first_row + r < rows && first_col + x < cols)
      tile[r][x] = *reinterpret_cast<const Item*>(from + r * from_pitch);
  __syncthreads();
#pragma unroll
  for (int c = y; c < kTile; c += kTileRows)
    if (first_col + c < cols && first_row + x < rows) *reinterpret_cast<Item*>(to + c * to_pitch) = tile[x][c];
}

// The axes of a box but for two (-1: none).
Axes axes_of(const StridedCopy& box, int without, int nor) {
  Axes axes;
  for (int i = box.rank - 1; i >= 0; --i) {
    if (i == without || i == nor) continue;
    axes.size[axes.rank] = Divisor(box.size[i]);
    axes.count *= box.size[i];
    axes.from_step[axes.rank] = box.from_step[i], axes.to_step[axes.rank] = box.to_step[i];
    ++axes.rank;
  }
  return axes;
}

// The axis along which a tile is read, where that is worth it; -1: none.
int tiled_axis(const StridedCopy& box) {
  const int t = box.rank - 1;
  if (t < 1 || box.to_step[t] != box.item || box.size[t] < kFewest) return -1;
  for (int f = 0; f < t; ++f)
    if (box.from_step[f] == box.item && box.size[f] >= kFewest) return f;
  return -1;
}

}  // namespace

void strided_copy(const char* name, const KernelArgs& args, const StridedCopy& request) {
  for (int i = 0; i < request.rank; ++i)
    if (request.size[i] == 0) return;
  StridedCopy box = simplify(request);
  std::int64_t wide = widest_item(box.from, box.to, box.item);
  for (int i = 0; i < box.rank; ++i) wide = widest_item(nullptr, nullptr, wide, box.from_step[i], box.to_step[i]);
  if (wide < box.item) {
    // All axes are left only where the item is one of the dtype, to which memory is aligned.
    require(box.rank < kMaxRank, ErrorKind::Internal, name, ": a copy of more than ", kMaxRank, " axes");
    box.add_axis(box.item / wide, wide, wide);
    box.item = wide;
  }
  with_item(box.item, [&](auto item) {
    using Item = decltype(item);
    if (const int f = tiled_axis(box), t = box.rank - 1; f >= 0) {
      const Axes outer = axes_of(box, f, t);
      const std::int64_t across = ceil_div(box.size[f], kTile), down = ceil_div(box.size[t], kTile);
      return launch(name, copy_tiles<Item>,
                    {static_cast<unsigned>(outer.count * across * down), dim3(kTile, kTileRows)}, args, box.from,
                    box.to, outer, Divisor(across), Divisor(down), box.size[t], box.size[f], box.from_step[t],
                    box.to_step[f]);
    }
    const Axes axes = axes_of(box, -1, -1);
    const std::int64_t blocks = ceil_div(axes.count, kThreads * kItems);
    launch(name, copy_items<Item>, {static_cast<unsigned>(blocks), kThreads}, args, box.from, box.to, axes);
  });
}

}  // namespace fastcnn::cuda

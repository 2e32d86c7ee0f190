// Puts the items of many rows in order and keeps the first of each row: what nms, topk and nearest rank with.
//
// A merge sort whose runs are cut to `keep` items. Tiles are sorted in shared memory by a bitonic network (Batcher,
// "Sorting networks and their applications", 1968), then runs are merged in pairs, each block writing a stretch of the
// result that it finds by a search along a diagonal (Green, McColl and Bader, "GPU Merge Path", 2012). For few items of
// many, the first pass throws nearly everything away; for all of them it is a plain sort. Items are distinct (their
// index is a part of them), so there is one order and it does not depend on how the work was done.
#pragma once

#include "core/divide.cuh"
#include "core/launch.h"

namespace fastcnn::cuda {

// A key of 32 bits in the upper half and an index in the lower: ordered as the pair is.
using NarrowItem = unsigned long long;

struct WideItem {
  unsigned long long key, index;
  FC_INLINE bool operator<(const WideItem& o) const { return key < o.key || (key == o.key && index < o.index); }
};

FC_INLINE NarrowItem make_item(NarrowItem, std::uint64_t key, std::int64_t index) {
  return key << 32 | static_cast<std::uint32_t>(index);
}
FC_INLINE WideItem make_item(WideItem, std::uint64_t key, std::int64_t index) {
  return {key, static_cast<unsigned long long>(index)};
}
FC_INLINE std::int64_t item_index(NarrowItem item) { return static_cast<std::int64_t>(item & 0xffffffffu); }
FC_INLINE std::int64_t item_index(WideItem item) { return static_cast<std::int64_t>(item.index); }

inline bool fits_narrow(std::int64_t size) { return size < (std::int64_t{1} << 32); }

inline constexpr int kSortThreads = 256;

// Items of one tile: 16 KB.
template <class Item>
inline constexpr int kSortTile = 16384 / static_cast<int>(sizeof(Item));

struct SortPlan {
  std::int64_t rows, size, keep;  // `rows` rows of `size` items, of which the first `keep` are wanted, in order
  std::int64_t tile;              // items of a row sorted at once: a power of two
  std::int64_t tiles;             // of a row
  std::int64_t pitch;             // items from a row to the next, in both buffers
  Divisor by_tiles, by_keep;

  FC_INLINE std::int64_t runs(std::int64_t span) const { return ceil_div(size, span); }
  // What a run of `span` items of the row became: its items, and from one run to the next.
  FC_INLINE std::int64_t run_items(std::int64_t span, std::int64_t run) const {
    return max_i64(0, min_i64(keep, min_i64(span, size - run * span)));
  }
  FC_INLINE std::int64_t run_pitch(std::int64_t span) const { return min_i64(keep, span); }
};

template <class Item>
SortPlan plan_sort(std::int64_t rows, std::int64_t size, std::int64_t keep) {
  SortPlan plan{.rows = rows, .size = size, .keep = keep, .tile = 2};
  while (plan.tile < kSortTile<Item> && plan.tile < size) plan.tile *= 2;
  plan.tiles = plan.runs(plan.tile);
  // The runs of a row never take more than they do at first, or than all its items.
  plan.pitch = keep < plan.tile ? plan.tiles * keep : size;
  plan.by_tiles = Divisor(plan.tiles), plan.by_keep = Divisor(keep);
  return plan;
}

template <class Item>
std::int64_t sort_bytes(const SortPlan& plan) {  // of one of the two buffers
  return round_up(plan.rows * plan.pitch * static_cast<std::int64_t>(sizeof(Item)), 256);
}

// Computes   the first items of every tile, in order; source(Item{}, row, place) is an item.
// Layout     items [row][run][at most keep].
// Threads    256, for one tile of 16 KB of shared memory, or for as many short rows as fill it.
// Why        a bitonic network needs no memory but the items' own and no search; every step uses every thread.
// Bound by   shared memory: log2(tile) (log2(tile) + 1) / 2 passes over it.
template <class Item, class Source>
__global__ void __launch_bounds__(kSortThreads) sort_tiles(SortPlan plan, Source source, Item* __restrict__ to) {
  FC_SHARED(Item, items, [kSortTile<Item>]);
  const int tile = static_cast<int>(plan.tile), shift = __ffs(tile) - 1;
  const std::int64_t total = plan.rows * plan.tiles;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (kSortTile<Item> >> shift);
  for (int i = threadIdx.x; i < kSortTile<Item>; i += kSortThreads) {
    std::int64_t run;
    const std::int64_t t = first + (i >> shift), row = plan.by_tiles.divide(t, &run);
    const std::int64_t at = run * tile + (i & (tile - 1));
    Item item = make_item(Item{}, ~std::uint64_t{0}, -1);  // after all others
    if (t < total && at < plan.size) item = source(Item{}, row, at);
    items[i] = item;
  }
  for (int size = 2; size <= tile; size *= 2)
    for (int step = size / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int pair = threadIdx.x; pair < kSortTile<Item> / 2; pair += kSortThreads) {
        const int low = 2 * pair - (pair & (step - 1)), high = low + step;
        const bool rising = (low & (tile - 1) & size) == 0;
        const Item a = items[low], b = items[high];
        if ((b < a) == rising) items[low] = b, items[high] = a;
      }
    }
  __syncthreads();
  for (int i = threadIdx.x; i < kSortTile<Item>; i += kSortThreads) {
    const std::int64_t t = first + (i >> shift), place = i & (tile - 1);
    if (t >= total) break;
    std::int64_t run;
    const std::int64_t row = plan.by_tiles.divide(t, &run);
    if (place < plan.run_items(tile, run)) to[row * plan.pitch + run * plan.run_pitch(tile) + place] = items[i];
  }
}

// How many of the first `diagonal` items of the merged runs come from a.
template <class Item>
__device__ __forceinline__ std::int64_t merge_split(const Item* a, std::int64_t na, const Item* b, std::int64_t nb,
                                                    std::int64_t diagonal) {
  std::int64_t low = max_i64(0, diagonal - nb), high = min_i64(diagonal, na);
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (a[middle] < b[diagonal - 1 - middle])
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// How many of the `count` items in order come before `item`.
template <class Item>
__device__ __forceinline__ int rank_among(const Item* items, int count, Item item) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (items[middle] < item)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Computes   runs of 2 `span` items from pairs of runs of `span`, cut to what is wanted.
// Layout     items [row][run][at most keep], before and after.
// Threads    256, for half a tile of the result: 8 KB of shared memory.
// Why        the two searches of a block cost little beside its stretch, and all blocks do equally much.
// Bound by   memory: each pass reads and writes the items once.
template <class Item>
__global__ void __launch_bounds__(kSortThreads)
    merge_runs(SortPlan plan, std::int64_t span, Divisor by_tiles, Divisor by_pairs, const Item* __restrict__ from,
               Item* __restrict__ to) {
  constexpr int kTile = kSortTile<Item> / 2;
  FC_SHARED(Item, items, [kTile]);
  FC_SHARED(std::int64_t, split, [2]);
  std::int64_t tile, pair;
  const std::int64_t row = by_pairs.divide(by_tiles.divide(blockIdx.x, &tile), &pair);
  const std::int64_t na = plan.run_items(span, 2 * pair), nb = plan.run_items(span, 2 * pair + 1);
  const std::int64_t begin = tile * kTile, end = min_i64(begin + kTile, plan.run_items(2 * span, pair));
  if (begin >= end) return;
  const Item* a = from + row * plan.pitch + 2 * pair * plan.run_pitch(span);
  const Item* b = a + plan.run_pitch(span);
  if (threadIdx.x < 2) split[threadIdx.x] = merge_split(a, na, b, nb, threadIdx.x == 0 ? begin : end);
  __syncthreads();
  const std::int64_t a_begin = split[0], b_begin = begin - a_begin;
  const int count = static_cast<int>(end - begin), from_a = static_cast<int>(split[1] - a_begin);
  for (int i = threadIdx.x; i < count; i += kSortThreads)
    items[i] = i < from_a ? a[a_begin + i] : b[b_begin + i - from_a];
  __syncthreads();
  Item* out = to + row * plan.pitch + pair * plan.run_pitch(2 * span) + begin;
  for (int i = threadIdx.x; i < count; i += kSortThreads) {
    const Item item = items[i];
    const int place = i < from_a ? i + rank_among(items + from_a, count - from_a, item)
                                 : i - from_a + rank_among(items, from_a, item);
    out[place] = item;
  }
}

// Sorts into one of two buffers and tells which: row r's items are at r * pitch. Host code.
template <class Item, class Source>
Item* sort_rows(const char* name, const KernelArgs& args, const SortPlan& plan, const Source& source, Item* items,
                Item* swap) {
  const std::int64_t blocks = ceil_div(plan.rows * plan.tiles, kSortTile<Item> / plan.tile);
  launch(name, sort_tiles<Item, Source>, {dim3(static_cast<unsigned>(blocks)), dim3(kSortThreads)}, args, plan, source,
         items);
  for (std::int64_t span = plan.tile; span < plan.size; span *= 2) {
    const std::int64_t pairs = plan.runs(2 * span), tiles = ceil_div(plan.run_pitch(2 * span), kSortTile<Item> / 2);
    launch(name, merge_runs<Item>, {dim3(static_cast<unsigned>(plan.rows * pairs * tiles)), dim3(kSortThreads)}, args,
           plan, span, Divisor(tiles), Divisor(pairs), items, swap);
    Item* const sorted = swap;
    swap = items, items = sorted;
  }
  return items;
}

}  // namespace fastcnn::cuda

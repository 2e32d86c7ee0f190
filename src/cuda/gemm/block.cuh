// What the tiled kernels of the engine share: the place of a block's tile, what it knows of its lines, and the way of a
// tile of C out of the registers.
#pragma once

#include "gemm/product.h"

namespace fastcnn::cuda::gemm {

// Which tile of which product a block computes, and which part of its sum. Tiles of neighbouring columns follow each
// other, so that blocks that run together share the rows of A.
struct Place {
  std::int64_t batch, row, column, first_term, last_term, part;
};
template <int tile_rows, int tile_columns>
__device__ __forceinline__ Place place_of_block(const Sizes& s, const Parts& parts) {
  const std::int64_t across = ceil_div(s.columns, tile_columns), down = ceil_div(s.rows, tile_rows);
  const std::int64_t id = blockIdx.x, tile = id / across, batch = tile / down;
  Place p;
  p.batch = batch;
  p.row = (tile - batch * down) * tile_rows;
  p.column = (id - tile * across) * tile_columns;
  p.part = blockIdx.y;
  p.first_term = parts.count > 1 ? p.part * parts.terms : 0;
  p.last_term = parts.count > 1 ? min_i64(s.depth, p.first_term + parts.terms) : s.depth;
  return p;
}

// Blocks of such tiles.
template <int tile_rows, int tile_columns>
inline dim3 blocks_of(const Sizes& s, const Parts& parts) {
  return dim3(static_cast<unsigned>(s.batch * ceil_div(s.rows, tile_rows) * ceil_div(s.columns, tile_columns)),
              static_cast<unsigned>(parts.count));
}

// Whether tiles of 128 x 128 rather than 64 x 64 leave a device something to do. Not measured on hardware.
inline bool large_tiles_pay(const Sizes& s, const Parts& parts) {
  constexpr std::int64_t kEnough = 160;  // blocks
  return s.columns > 64 && s.batch * ceil_div(s.rows, 128) * ceil_div(s.columns, 128) * parts.count >= kEnough;
}

// What is known of the lines of a tile is in shared memory: one thread finds it out for all, and registers are for the
// sums. Of lines that are read four at a time every fourth is found. Those beyond the last are the last.
template <class F, int lines>
struct TileLines {
  using Line = typename F::Line;
  static constexpr int kVector = F::kLie == Lie::Lines ? 4 : 1, kCount = lines / kVector;
  static constexpr std::size_t kBytes = kCount * sizeof(Line);

  template <int threads>
  static __device__ __forceinline__ void find(const F& f, Line* found, std::int64_t batch, std::int64_t first,
                                              std::int64_t count) {
    for (int l = static_cast<int>(threadIdx.x); l < kCount; l += threads)
      found[l] = f.line(batch, min_i64(first + l * kVector, count - kVector));
  }
};

// C leaves through shared memory, so that neighbouring threads store neighbouring columns whatever a thread computed,
// and the code of a Finish is there once and not for each register.
//
// Stores `lines` x `columns` sums, line l being at stage + l * pitch and row row_of(l) of C.
template <int lines, int columns, int pitch, int threads, class Finish, class RowOf>
__device__ __forceinline__ void drain(const float* stage, const Sizes& s, const Parts& parts, const Place& place,
                                      const Finish& finish, const RowOf& row_of) {
  constexpr int kCount = Finish::kWide ? 4 : 1, kAcross = columns / kCount;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < lines * kAcross; i += threads) {
    const int line = i / kAcross, across = i % kAcross * kCount;
    const std::int64_t row = place.row + row_of(line), column = place.column + across;
    if (row >= s.rows || column >= s.columns) continue;
    float sum[kCount];
    load(stage + line * pitch + across, sum);
    if (parts.count > 1)
      store(parts.sums + ((place.part * s.batch + place.batch) * s.rows + row) * s.columns + column, sum);
    else
      finish.store(place.batch, row, column, sum);
  }
}

}  // namespace fastcnn::cuda::gemm

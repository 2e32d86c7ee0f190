// Reductions over all axes but the last, for each channel: x is rows of channels.
//
// A block of 256 threads takes `lanes` neighbouring channels, a power of two up to 32, and 256 / lanes rows at once:
// neighbouring threads read neighbouring channels. Each thread folds kRowsOfThread rows of its channel in their order,
// then the block's partial results meet in a tree in shared memory. What a block leaves - a chunk - is joined by
// join_chunks in double. All orders depend on the shape alone.
#pragma once

#include "core/launch.h"
#include "core/reduce.cuh"

namespace fastcnn::cuda {

inline constexpr int kChannelThreads = 256, kRowsOfThread = 32;

FC_INLINE int channel_lanes(std::int64_t channels) {
  int lanes = 1;
  while (lanes < kWarp && lanes < channels) lanes *= 2;
  return lanes;
}

// How x is cut into chunks.
struct ChannelChunks {
  std::int64_t rows = 0, channels = 0;
  std::int64_t chunks = 0;  // none where there are no rows
  int lanes = 1;

  ChannelChunks(std::int64_t rows_, std::int64_t channels_)
      : rows(rows_), channels(channels_), lanes(channel_lanes(channels_)) {
    chunks = ceil_div(rows, chunk_rows());
  }
  FC_INLINE std::int64_t chunk_rows() const { return std::int64_t{kRowsOfThread} * (kChannelThreads / lanes); }
  FC_INLINE std::int64_t rows_of(std::int64_t chunk) const {
    return min_i64(chunk_rows(), rows - chunk * chunk_rows());
  }
  dim3 blocks() const { return dim3(static_cast<unsigned>(chunks * ceil_div(channels, lanes))); }
};

// A workspace: three sums of each chunk and channel, then `vectors` of a value a channel, all aligned to 16 bytes.
inline std::int64_t sums_floats(const ChannelChunks& cut) { return round_up(3 * cut.chunks * cut.channels, 4); }
template <int vectors>
std::int64_t channel_workspace(const Problem& problem) {
  const Shape& x = problem.inputs[0].shape;
  const ChannelChunks cut(x.product(0, x.rank - 1), x.back());
  return (sums_floats(cut) + vectors * round_up(cut.channels, 4)) * static_cast<std::int64_t>(sizeof(float));
}

// Where a thread of a block over ChannelChunks begins.
struct ChannelThread {
  std::int64_t chunk, channel, first;  // `first`: the element of its first row
  int row_step;                        // rows from one of its rows to the next
  int rows;                            // how many it has: none beyond the last channel

  __device__ __forceinline__ explicit ChannelThread(const ChannelChunks& cut) {
    const std::int64_t group = blockIdx.x / cut.chunks;
    chunk = blockIdx.x - group * cut.chunks;
    const int thread = static_cast<int>(threadIdx.x), lane = thread & (cut.lanes - 1), row = thread / cut.lanes;
    channel = group * cut.lanes + lane;
    row_step = kChannelThreads / cut.lanes;
    first = (chunk * cut.chunk_rows() + row) * cut.channels + channel;
    rows = channel < cut.channels ? static_cast<int>(max_i64(0, ceil_div(cut.rows_of(chunk) - row, row_step))) : 0;
  }
};

// Folds the values of the threads whose index is the same modulo `lanes`: afterwards shared[k][lane] holds the result
// for all to read, until the next barrier.
template <int count, class T, class F>
__device__ __forceinline__ void fold_rows(T (&shared)[count][kChannelThreads], const T (&values)[count], int lanes,
                                          const F& f) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int k = 0; k < count; ++k) shared[k][thread] = values[k];
  __syncthreads();
  for (int half = kChannelThreads / 2; half >= lanes; half /= 2) {
    if (thread < half)
#pragma unroll
      for (int k = 0; k < count; ++k) shared[k][thread] = f(shared[k][thread], shared[k][thread + half]);
    __syncthreads();
  }
}

// Computes   sums[(count chunk + k) channels + c]: the sums of f's values over the chunk's rows.
// Layout     x as rows of channels; f(element, channel, values) reads what it needs.
// Threads    256: lanes x rows; 3 KiB of shared memory at most. 48 registers.
// Why        eight rows' loads are under way in each thread; the tree is short, 3 steps where there are 32 lanes.
// Bound      memory.
// Accuracy   sums of 32 terms and a tree in float: as of 40 additions.
template <int count, class F>
__global__ void __launch_bounds__(kChannelThreads) sum_chunks(const ChannelChunks cut, const F f, float* sums) {
  FC_SHARED(float, shared, [count][kChannelThreads]);
  const ChannelThread t(cut);
  float total[count] = {};
#pragma unroll 8
  for (int i = 0; i < t.rows; ++i) {
    float values[count];
    f(t.first + i * (t.row_step * cut.channels), t.channel, values);
#pragma unroll
    for (int k = 0; k < count; ++k) total[k] += values[k];
  }
  fold_rows(shared, total, cut.lanes, Add());
  if (static_cast<int>(threadIdx.x) < cut.lanes && t.channel < cut.channels)
#pragma unroll
    for (int k = 0; k < count; ++k) sums[(t.chunk * count + k) * cut.channels + t.channel] = shared[k][threadIdx.x];
}

// ---- joining chunks: blocks of 256 threads, 8 channels (a sector of memory) x 32 chunks ----------------------------

inline constexpr int kJoinLanes = 8;

inline dim3 join_blocks(std::int64_t channels) { return dim3(static_cast<unsigned>(ceil_div(channels, kJoinLanes))); }

// The channel of a thread of a block that joins chunks; its threads divide the chunks among themselves.
__device__ __forceinline__ std::int64_t join_channel() {
  return static_cast<std::int64_t>(blockIdx.x) * kJoinLanes + threadIdx.x % kJoinLanes;
}

// In `total`, for every thread of the channel: the sums of what values_of(chunk, values) gives for each chunk.
template <int count, class F>
__device__ __forceinline__ void sum_over_chunks(double (&shared)[count][kChannelThreads], std::int64_t chunks,
                                                bool inside, double (&total)[count], const F& values_of) {
#pragma unroll
  for (int k = 0; k < count; ++k) total[k] = 0.0;
  for (std::int64_t chunk = threadIdx.x / kJoinLanes; inside && chunk < chunks; chunk += kChannelThreads / kJoinLanes) {
    double values[count];
    values_of(chunk, values);
#pragma unroll
    for (int k = 0; k < count; ++k) total[k] += values[k];
  }
  fold_rows(shared, total, kJoinLanes, Add());
#pragma unroll
  for (int k = 0; k < count; ++k) total[k] = shared[k][threadIdx.x % kJoinLanes];
  __syncthreads();
}

}  // namespace fastcnn::cuda

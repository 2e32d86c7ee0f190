// Gram matrices on a device: partial sums of tiles on and below the diagonal, then their sum, scaled and mirrored.
#include "ops/gram/gram.h"

#include "core/launch.h"
#include "core/ptx.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "gram_matrix_f32_cuda";
constexpr int kThreads = 256, kSide = 16;  // a square of threads
constexpr int kDepth = 16;                 // pixels of a step
constexpr int kStages = 3;                 // steps in shared memory

// How the work is cut, by shape alone: pairs of channel tiles times slices of the pixels.
struct Split {
  std::int64_t pictures, pixels, channels, tile, pairs, slices, slice_pixels;
};

Split split(const Shape& x) {
  constexpr std::int64_t kBlocks = 512, kLeastPixels = 128;
  Split s{x[0], x.product(1, x.rank - 1), x.back(), 0, 0, 0, 0};
  s.tile = s.channels <= 64 ? 64 : 128;
  const std::int64_t tiles = ceil_div(s.channels, s.tile);
  s.pairs = tiles * (tiles + 1) / 2;
  s.slices = min_i64(ceil_div(kBlocks, max_i64(1, s.pictures * s.pairs)), ceil_div(s.pixels, kLeastPixels));
  s.slice_pixels = round_up(ceil_div(s.pixels, max_i64(1, s.slices)), kDepth);
  s.slices = s.pixels == 0 ? 0 : ceil_div(s.pixels, s.slice_pixels);
  return s;
}

// Pairs of tiles (row, column) with row >= column: (0, 0), (1, 0), (1, 1), (2, 0), ...
struct TilePair {
  std::int64_t row = 0, column;
  __device__ __forceinline__ explicit TilePair(std::int64_t index) : column(index) {
    while (column > row) column -= ++row;
  }
};

// Computes   sum_p x[p,i] x[p,j] over the pixels of a slice, for a pair of channel tiles.
// Layout     x [n][p][c] as it lies: a pixel's channels are a row of either factor. Results
//            [n][pair][slice][tile][tile].
// Threads    256 in a square of 16, each with (tile / 16)^2 sums, in blocks of 4 x 4: 64 accumulators, 16 operands and
//            addresses stay below 128 registers. Three steps of 16 pixels of both tiles: 48 KB of shared memory for
//            tiles of 128 channels, 24 KB for 64.
// Why        no factor needs turning, so copies go straight to shared memory, asynchronously, two steps ahead and one
//            barrier a step; every read of it is of 16 bytes, and 64 products follow 4 of them.
// Bound by   arithmetic; with few channels by memory.
// Needs      16-byte copies: channels a multiple of 4; single floats else.
// Accuracy   sums in order of the pixels, in float32.
template <int tile>
__global__ void __launch_bounds__(kThreads, tile == 128 ? 2 : 4)
    sum_slice(const float* __restrict__ x, Split s, bool vectors, float* __restrict__ partial) {
  constexpr int kQuads = tile / (4 * kSide);  // of a thread, along each side
  constexpr int kAcross = tile / 4;           // quads of a pixel
  constexpr int kApart = kThreads / kAcross;  // pixels between two loads of a thread
  FC_SHARED(float4, stage, [kStages][2][kDepth * kAcross]);
  const std::int64_t slice = blockIdx.x % s.slices, pair_index = blockIdx.x / s.slices % s.pairs;
  const std::int64_t picture = blockIdx.x / s.slices / s.pairs;
  const TilePair pair(pair_index);
  const std::int64_t begin = slice * s.slice_pixels;
  const int steps = static_cast<int>(ceil_div(min_i64(s.slice_pixels, s.pixels - begin), kDepth));
  const bool diagonal = pair.row == pair.column;  // one tile is both factors

  // This thread copies a quad of channels of every kApart-th pixel.
  const std::int64_t pixel = begin + threadIdx.x / kAcross, channel = threadIdx.x % kAcross * 4;
  const float* source = x + (picture * s.pixels + pixel) * s.channels + pair.row * tile + channel;
  const int to_column = static_cast<int>((pair.column - pair.row) * tile);
  const int channels_left = static_cast<int>(min_i64(4, s.channels - pair.row * tile - channel));
  const int columns_left = static_cast<int>(min_i64(4, s.channels - pair.column * tile - channel));
  int pixels_left = static_cast<int>(min_i64(s.slice_pixels, s.pixels - begin)) - threadIdx.x / kAcross;
  const auto copy = [&](float4* to, const float* quad, int left) {
    if (vectors) {
      copy_async<16>(to, left > 0 ? quad : x, left > 0 ? 16 : 0);
    } else {
      for (int j = 0; j < 4; ++j)
        copy_async<4>(reinterpret_cast<float*>(to) + j, j < left ? quad + j : x, j < left ? 4 : 0);
    }
  };
  const auto load = [&](int step) {
    if (step < steps) {
      for (int i = 0; i < kDepth / kApart; ++i) {
        const bool inside = i * kApart < pixels_left;
        const int at = i * kThreads + threadIdx.x;
        const float* quad = source + i * kApart * s.channels;
        copy(&stage[step % kStages][0][at], quad, inside ? channels_left : 0);
        if (!diagonal) copy(&stage[step % kStages][1][at], quad + to_column, inside ? columns_left : 0);
      }
      source += kDepth * s.channels;
      pixels_left -= kDepth;
    }
    copy_async_commit();
  };

  float sums[4 * kQuads][4 * kQuads] = {};
  const int ty = threadIdx.x / kSide, tx = threadIdx.x % kSide;
  for (int step = 0; step < kStages - 1; ++step) load(step);
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    __syncthreads();
    load(step + kStages - 1);  // over what was read before the barrier
    const float4* rows = stage[step % kStages][0];
    const float4* columns = stage[step % kStages][diagonal ? 0 : 1];
#pragma unroll 2
    for (int p = 0; p < kDepth; ++p) {
      float a[4 * kQuads], b[4 * kQuads];
#pragma unroll
      for (int q = 0; q < kQuads; ++q) {
        const float4 u = rows[p * kAcross + q * kSide + ty], v = columns[p * kAcross + q * kSide + tx];
        a[4 * q] = u.x, a[4 * q + 1] = u.y, a[4 * q + 2] = u.z, a[4 * q + 3] = u.w;
        b[4 * q] = v.x, b[4 * q + 1] = v.y, b[4 * q + 2] = v.z, b[4 * q + 3] = v.w;
      }
#pragma unroll
      for (int i = 0; i < 4 * kQuads; ++i)
#pragma unroll
        for (int j = 0; j < 4 * kQuads; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
    }
  }

  float* to = partial + ((picture * s.pairs + pair_index) * s.slices + slice) * tile * tile;
#pragma unroll
  for (int i = 0; i < 4 * kQuads; ++i)
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const int row = i / 4 * 4 * kSide + ty * 4 + i % 4, column = q * 4 * kSide + tx * 4;
      *reinterpret_cast<float4*>(to + row * tile + column) =
          make_float4(sums[i][4 * q], sums[i][4 * q + 1], sums[i][4 * q + 2], sums[i][4 * q + 3]);
    }
}

// Computes   y from the slices' sums, in their order, and its mirror image.
// Layout     a block has 32 x 32 results of a tile; below the diagonal they are turned in shared memory.
// Threads    32 x 8, 4 results each; 4.1 KB of shared memory, its rows a bank apart.
// Bound by   memory: the partial sums are read once. On the diagonal both halves were summed alike.
__global__ void __launch_bounds__(kThreads, 4)
    add_slices(const float* __restrict__ partial, Split s, float scale, float* __restrict__ y) {
  FC_SHARED(float, turned, [kWarp][kWarp + 1]);
  const std::int64_t across = s.tile / kWarp, part = blockIdx.x % (across * across);
  const std::int64_t pair_index = blockIdx.x / (across * across) % s.pairs;
  const std::int64_t picture = blockIdx.x / (across * across) / s.pairs;
  const TilePair pair(pair_index);
  const std::int64_t row = part / across * kWarp, column = part % across * kWarp;  // in the tile
  const std::int64_t y_row = pair.row * s.tile + row, y_column = pair.column * s.tile + column;
  const float* from = partial + (picture * s.pairs + pair_index) * s.slices * s.tile * s.tile;
  float* to = y + picture * s.channels * s.channels;
  const int tx = threadIdx.x, ty = threadIdx.y;
  for (int i = ty; i < kWarp; i += blockDim.y) {
    float sum = 0;
    const float* term = from + (row + i) * s.tile + column + tx;
    for (int slice = 0; slice < s.slices; ++slice, term += s.tile * s.tile) sum += *term;
    sum *= scale;
    turned[i][tx] = sum;
    if (y_row + i < s.channels && y_column + tx < s.channels) to[(y_row + i) * s.channels + y_column + tx] = sum;
  }
  if (pair.row == pair.column) return;
  __syncthreads();
  for (int i = ty; i < kWarp; i += blockDim.y)
    if (y_column + i < s.channels && y_row + tx < s.channels)
      to[(y_column + i) * s.channels + y_row + tx] = turned[tx][i];
}

void run(const KernelArgs& args) {
  const Split s = split(args.in[0].shape());
  const float* x = args.in[0].as<float>();
  auto* partial = static_cast<float*>(args.workspace);
  const bool vectors = s.channels % 4 == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  const std::int64_t tiles = s.pictures * s.pairs, parts = (s.tile / kWarp) * (s.tile / kWarp);
  if (s.slices > 0)
    launch(kName, s.tile == 128 ? sum_slice<128> : sum_slice<64>,
           {dim3(static_cast<unsigned>(tiles * s.slices)), dim3(kThreads)}, args, x, s, vectors, partial);
  launch(kName, add_slices, {dim3(static_cast<unsigned>(tiles * parts)), dim3(kWarp, kThreads / kWarp)}, args, partial,
         s, args.problem.as<GramParams>().scale, args.out[0].as<float>());
}

std::int64_t workspace(const Problem& problem) {
  const Split s = split(problem.inputs[0].shape);
  return s.pictures * s.pairs * s.slices * s.tile * s.tile * static_cast<std::int64_t>(sizeof(float));
}

constexpr KernelInfo kRows[] = {{.name = kName, .device = Device::Cuda, .run = run, .workspace = workspace}};
constexpr OpRows kOps[] = {{"gram_matrix", kRows}};

}  // namespace

std::span<const OpRows> gram_rows() { return kOps; }

}  // namespace fastcnn::cuda

// Computes   conv2d's weight gradient for 3 x 3 kernels by the adjoint of Winograd's F(4 x 4, 3 x 3): for each of 36
//            positions a sum of outer products over the tiles, between transforms.
// Layout     x and dy NHWC. V: [position][tile][channel]; D: [position][tile][filter]; dU: [chunk][position][channel]
//            [filter]. All are in the workspace.
// Threads    256, one channel (filter) of one tile each, or a pair of them of dU; its 36 floats are in registers (80 of
//            them); lanes run along the channels. No shared memory. The products: gemm/.
// Why        36 products for 16 outputs instead of 144. Tiles go through the steps in chunks whose V and D stay in L2,
//            where the device has a large one; the chunks' dU are added up while they are transformed.
// Bounds     the transforms: memory, and L2 for V and D. The products: multiply-adds; with few channels L2, too.
// Needs      strides and dilation 1, one group.
// Accuracy   sums of parts of chunks, and of chunks, between the transforms; docs/precision.md.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
#include "ops/conv2d_winograd.cuh"

#include "gemm/split.cuh"
#include "ops/conv2d_winograd.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::cuda::winograd {
namespace {

constexpr const char* kName = "conv2d_weight_gradient_f32_winograd4_cuda";
constexpr int kTile = 4, kSize = kTile + 2;
// V and D of a chunk of tiles: what L2 holds. And the fewest tiles, for few dU to be added up.
constexpr std::int64_t kChunkBytes = 32 << 20, kLeastTiles = 1024;

Cut<kTile> cut_of(const Problem& problem) {
  return {problem.as<Conv2dParams>(), problem.inputs[1].shape, kChunkBytes, kLeastTiles};
}

// D = A dy A^T of the tiles from `first` on; `count` of their filters.
__global__ void __launch_bounds__(kThreads)
    transform_gradient(const float* __restrict__ dy, const Pictures pictures, const Tiling tiling, int first, int count,
                       float* __restrict__ d, std::int64_t stride) {
  const int item = item_of_thread();
  if (item >= count) return;
  const int tile = item / pictures.channels, filter = item - tile * pictures.channels;
  const auto [picture, i, j] = tiling.place(first + tile);
  const int rows = pictures.height - i, columns = pictures.width - j;
  dy += pictures.offset(picture, i, j) + filter;
  d += item;
  const std::int64_t row = std::int64_t{pictures.width} * pictures.channels;
  points::transform<kTile, kSize>(
      [](const auto& y, auto& p) { points::Points<kTile>::gradient(y, p); },
      [&](int a, int b) { return a < rows && b < columns ? dy[a * row + std::int64_t{b} * pictures.channels] : 0.0f; },
      [&](int a, int b, float value) { d[(a * kSize + b) * stride] = value; });
}

// dw = G^T dU G, dU being the sum of those of the chunks; `count` pairs of a channel and a filter.
__global__ void __launch_bounds__(kThreads)
    transform_weights(const float* __restrict__ u, std::int64_t stride, int chunks, int count, float* __restrict__ dw) {
  const int item = item_of_thread();
  if (item >= count) return;
  u += item, dw += item;
  float sums[kSize][kSize] = {};
#pragma unroll 1
  for (int chunk = 0; chunk < chunks; ++chunk)
#pragma unroll
    for (int i = 0; i < kSize; ++i)
#pragma unroll
      for (int j = 0; j < kSize; ++j) sums[i][j] += u[(std::int64_t{chunk * kSize + i} * kSize + j) * stride];
  points::transform<kSize, 3>([](const auto& p, auto& g) { points::Points<kTile>::weights(p, g); },
                              [&](int i, int j) { return sums[i][j]; },
                              [&](int i, int j, float value) { dw[std::int64_t{i * 3 + j} * count] = value; });
}

// The sums of outer products of `tiles` tiles.
gemm::Sizes sizes_of(const Cut<kTile>& cut, std::int64_t tiles) {
  return {.batch = kPositions<kTile>, .rows = cut.channels, .columns = cut.filters, .depth = tiles};
}

// dU = V^T D of every position.
template <Lie lie, bool wide>
void multiply(const KernelArgs& args, const Cut<kTile>& cut, std::int64_t tiles, const float* v, const float* d,
              float* u, float* parts) {
  const gemm::Matrix<lie> a{
      .data = v, .line_stride = 1, .term_stride = cut.channels, .batch_stride = cut.channels_stride()};
  const gemm::Matrix<lie> b{
      .data = d, .line_stride = 1, .term_stride = cut.filters, .batch_stride = cut.filters_stride()};
  const Epilogue none;
  const gemm::Finish<wide> to(none, EpilogueOperands(none, args, 2), u, cut.filters, cut.weights_stride(), 0);
  gemm::launch_split(kName, args, sizes_of(cut, tiles), a, b, to, parts);
}

}  // namespace

void WeightGradient::run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Cut<kTile> cut = cut_of(args.problem);
  const Pictures x(args.in[0].shape()), dy(args.in[1].shape());
  constexpr std::int64_t kCount = kPositions<kTile>;
  const std::int64_t chunks = ceil_div(cut.tiles, cut.chunk), weights = cut.channels * cut.filters;
  float* const v = static_cast<float*>(args.workspace);
  float* const d = v + kCount * cut.channels_stride();
  float* const u = d + kCount * cut.filters_stride();
  float* const parts = u + chunks * kCount * cut.weights_stride();
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t first = chunk * cut.chunk, tiles = min_i64(cut.chunk, cut.tiles - first);
    launch(kName, transform_input<kTile>, grid_of(tiles * cut.channels), args, args.in[0].as<float>(), x, cut.tiling,
           p.window.h.before, p.window.w.before, first, tiles * cut.channels, v, cut.channels_stride());
    launch(kName, transform_gradient, grid_of(tiles * cut.filters), args, args.in[1].as<float>(), dy, cut.tiling, first,
           tiles * cut.filters, d, cut.filters_stride());
    const bool vectors = cut.channels % 4 == 0 && cut.filters % 4 == 0;
    const auto product = vectors ? multiply<Lie::Lines, true> : multiply<Lie::Apart, false>;
    product(args, cut, tiles, v, d, u + chunk * kCount * cut.weights_stride(), parts);
  }
  launch(kName, transform_weights, grid_of(weights), args, u, cut.weights_stride(), chunks, weights,
         args.out[0].as<float>());
}

const char* WeightGradient::declines(const Problem& problem) {
  return winograd::declines(problem, cut_of(problem), problem.inputs[1].shape);
}

const char* WeightGradient::yields(const Problem& problem) {
  return winograd::yields(cut_of(problem), problem.inputs[1].shape);
}

std::int64_t WeightGradient::workspace(const Problem& problem) {
  const Cut<kTile> cut = cut_of(problem);
  const std::int64_t chunks = ceil_div(cut.tiles, cut.chunk);
  const std::int64_t floats = cut.channels_stride() + cut.filters_stride() + chunks * cut.weights_stride();
  return kPositions<kTile> * floats * kFloat + gemm::split_workspace(sizes_of(cut, cut.chunk));
}

}  // namespace fastcnn::cuda::winograd

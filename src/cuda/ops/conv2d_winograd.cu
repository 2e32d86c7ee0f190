// Computes   conv2d with 3 x 3 kernels by Winograd's F(m x m, 3 x 3), n = m + 2: transforms around n^2 matrix products.
// Layout     NHWC in and out. U: [position][channel][filter]; V: [position][tile][channel]; M:
//            [position][tile][filter]. All are in the workspace.
// Threads    256, one channel (filter) of one tile each, its n x n floats in registers (F(4): 80 of them, F(2): 40);
//            lanes run along the channels. No shared memory. The products: gemm/.
// Why        n^2 products for m^2 outputs instead of 9 m^2: 2.25 times fewer for m = 2, 4 times for m = 4. Tiles go
//            through the three steps in chunks whose V and M stay in L2, where the device has a large one.
// Bounds     the transforms: memory, and L2 for V and M. The products: multiply-adds; with few channels L2, too.
// Needs      strides and dilation 1, one group.
// Accuracy   chains of fused multiply-adds over the channels between the transforms; docs/precision.md.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
#include "ops/conv2d_winograd.cuh"

#include "ops/conv2d_winograd.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::cuda::winograd {
namespace {

// V and M of a chunk of tiles: what L2 holds beside U. And the fewest tiles, for U to be read seldom.
constexpr std::int64_t kChunkBytes = 32 << 20, kLeastTiles = 512;

template <int m>
Cut<m> cut_of(const Problem& problem) {
  return {problem.as<Conv2dParams>(), problem.outputs[0].shape, kChunkBytes, kLeastTiles};
}

// U = G w G^T; `count` pairs of a channel and a filter.
template <int m>
__global__ void __launch_bounds__(kThreads)
    transform_kernel(const float* __restrict__ w, int count, float* __restrict__ u, std::int64_t stride) {
  const int item = item_of_thread();
  if (item >= count) return;
  w += item, u += item;
  points::transform<3, m + 2>([](const auto& g, auto& t) { points::Points<m>::kernel(g, t); },
                              [&](int i, int j) { return w[std::int64_t{i * 3 + j} * count]; },
                              [&](int i, int j, float value) { u[(i * (m + 2) + j) * stride] = value; });
}

// What follows the sums, and where it ends up.
struct Finish {
  const float *bias, *residual;  // or nullptr
  Activation activation;
  float alpha;
};

// y = act(A^T M A + bias + residual) of the tiles from `first` on; `count` of their filters.
template <int m>
__global__ void __launch_bounds__(kThreads)
    transform_output(const float* __restrict__ sums, std::int64_t stride, const Pictures pictures, const Tiling tiling,
                     int first, int count, const Finish finish, float* __restrict__ y) {
  const int item = item_of_thread();
  if (item >= count) return;
  const int tile = item / pictures.channels, filter = item - tile * pictures.channels;
  const auto [picture, i, j] = tiling.place(first + tile);
  const int rows = pictures.height - i, columns = pictures.width - j;
  const std::int64_t corner = pictures.offset(picture, i, j) + filter;
  const std::int64_t row = std::int64_t{pictures.width} * pictures.channels;
  const auto at = [&](int a, int b) { return corner + a * row + std::int64_t{b} * pictures.channels; };
  const float bias = finish.bias != nullptr ? finish.bias[filter] : 0.0f;
  sums += item;
  float out[m][m] = {};  // of pixels outside: anything
  points::transform<m + 2, m>([](const auto& p, auto& t) { points::Points<m>::output(p, t); },
                              [&](int a, int b) { return sums[(a * (m + 2) + b) * stride]; },
                              [&](int a, int b, float sum) {
                                if (a >= rows || b >= columns) return;
                                sum += bias;
                                if (finish.residual != nullptr) sum += finish.residual[at(a, b)];
                                out[a][b] = sum;
                              });
  with_activation(finish.activation, [&](auto kind) {
#pragma unroll
    for (int a = 0; a < m; ++a)
#pragma unroll
      for (int b = 0; b < m; ++b) out[a][b] = activate<kind.kind>(out[a][b], finish.alpha);
  });
#pragma unroll
  for (int a = 0; a < m; ++a)
#pragma unroll
    for (int b = 0; b < m; ++b)
      if (a < rows && b < columns) y[at(a, b)] = out[a][b];
}

// M = V U of every position.
template <Lie of_v, Lie of_u, bool wide>
void multiply(const char* name, const KernelArgs& args, const gemm::Sizes& sizes, const float* v, std::int64_t v_stride,
              const float* u, std::int64_t u_stride, float* sums, std::int64_t m_stride) {
  const gemm::Matrix<of_v> a{.data = v, .line_stride = sizes.depth, .term_stride = 1, .batch_stride = v_stride};
  const gemm::Matrix<of_u> b{.data = u, .line_stride = 1, .term_stride = sizes.columns, .batch_stride = u_stride};
  const Epilogue none;
  const gemm::Finish<wide> to(none, EpilogueOperands(none, args, 2), sums, sizes.columns, m_stride, 0);
  gemm::launch_ffma(name, args, sizes, {}, a, b, to);
}

}  // namespace

template <int m>
void Convolution<m>::run(const KernelArgs& args) {
  constexpr const char* kName = m == 4 ? "conv2d_f32_winograd4_cuda" : "conv2d_f32_winograd2_cuda";
  const auto& p = args.problem.as<Conv2dParams>();
  const Cut<m> cut = cut_of<m>(args.problem);
  const EpilogueOperands operands(p.epilogue, args, 2);
  const Finish finish{operands.bias, operands.residual, p.epilogue.activation, p.epilogue.alpha};
  const Pictures x(args.in[0].shape()), y(args.out[0].shape());
  const std::int64_t u_stride = cut.weights_stride(), v_stride = cut.channels_stride(), m_stride = cut.filters_stride();
  float* const u = static_cast<float*>(args.workspace);
  float* const v = u + kPositions<m> * u_stride;
  float* const sums = v + kPositions<m> * v_stride;

  const std::int64_t weights = cut.channels * cut.filters;
  launch(kName, transform_kernel<m>, grid_of(weights), args, args.in[1].as<float>(), weights, u, u_stride);
  for (std::int64_t first = 0; first < cut.tiles; first += cut.chunk) {
    const std::int64_t tiles = min_i64(cut.chunk, cut.tiles - first);
    launch(kName, transform_input<m>, grid_of(tiles * cut.channels), args, args.in[0].as<float>(), x, cut.tiling,
           p.window.h.before, p.window.w.before, first, tiles * cut.channels, v, v_stride);
    const gemm::Sizes sizes{.batch = kPositions<m>, .rows = tiles, .columns = cut.filters, .depth = cut.channels};
    const auto product = cut.channels % 4 == 0 && cut.filters % 4 == 0 ? multiply<Lie::Terms, Lie::Lines, true>
                                                                       : multiply<Lie::Apart, Lie::Apart, false>;
    product(kName, args, sizes, v, v_stride, u, u_stride, sums, m_stride);
    launch(kName, transform_output<m>, grid_of(tiles * cut.filters), args, sums, m_stride, y, cut.tiling, first,
           tiles * cut.filters, finish, args.out[0].as<float>());
  }
}

template <int m>
const char* Convolution<m>::declines(const Problem& problem) {
  return winograd::declines(problem, cut_of<m>(problem), problem.outputs[0].shape);
}

template <int m>
const char* Convolution<m>::yields(const Problem& problem) {
  return winograd::yields(cut_of<m>(problem), problem.outputs[0].shape);
}

template <int m>
std::int64_t Convolution<m>::workspace(const Problem& problem) {
  const Cut<m> cut = cut_of<m>(problem);
  return kPositions<m> * (cut.weights_stride() + cut.channels_stride() + cut.filters_stride()) * kFloat;
}

template struct Convolution<2>;
template struct Convolution<4>;

}  // namespace fastcnn::cuda::winograd

// Computes   conv2d_adjoint_kernel: kernels turned by 180 degrees, input and output channels exchanged within each
// group. Layout     HWIO in and out; a tap is a matrix of channels by filters, of which each group's part is
// transposed. Threads    256 for a tile of 32 x 32 items of one tap, through 4224 bytes of shared memory, each thread 4
// items. Why        lanes run along the filters when reading and along the channels when writing; the odd row keeps
// them on
//            different banks. A tile covers the filters of many small groups.
// Bounds     memory. Where groups have few channels, lanes are left idle: such kernels are small.
#include "core/launch.h"
#include "ops/conv2d/conv2d_gradients.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr int kTile = 32, kRows = 8;

// Of all taps: channels and filters of a group, filters of all groups, tiles along them.
struct Adjoint {
  int taps, channels, group_filters, filters, channel_tiles, filter_tiles;
};

__global__ void __launch_bounds__(kTile* kRows)
    turn(const std::uint32_t* __restrict__ w, const Adjoint p, std::uint32_t* __restrict__ v) {
  FC_SHARED(std::uint32_t, tile, [kTile][kTile + 1]);
  const int tiles = p.channel_tiles * p.filter_tiles;
  const int tap = static_cast<int>(blockIdx.x) / tiles, place = static_cast<int>(blockIdx.x) % tiles;
  const int first_c = place / p.filter_tiles * kTile, first_f = place % p.filter_tiles * kTile;
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const std::int64_t size = std::int64_t{p.channels} * p.filters;
  w += tap * size, v += (p.taps - 1 - tap) * size;
  for (int r = row; r < kTile; r += kRows) {
    const int c = first_c + r, f = first_f + lane;
    if (c < p.channels && f < p.filters) tile[r][lane] = w[std::int64_t{c} * p.filters + f];
  }
  __syncthreads();
  const int groups = p.filters / p.group_filters;
  for (int r = row; r < kTile; r += kRows) {
    const int c = first_c + lane, f = first_f + r;
    if (c >= p.channels || f >= p.filters) continue;
    const int group = f / p.group_filters, o = f % p.group_filters;
    v[(std::int64_t{o} * groups + group) * p.channels + c] = tile[lane][r];
  }
}

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const Adjoint adjoint{.taps = narrow(p.window.h.size * p.window.w.size),
                        .channels = narrow(p.group_channels()),
                        .group_filters = narrow(p.group_filters()),
                        .filters = narrow(p.filters),
                        .channel_tiles = narrow(ceil_div(p.group_channels(), kTile)),
                        .filter_tiles = narrow(ceil_div(p.filters, kTile))};
  const std::int64_t blocks = std::int64_t{adjoint.taps} * adjoint.channel_tiles * adjoint.filter_tiles;
  launch("conv2d_adjoint_kernel_f32_cuda", turn, {static_cast<unsigned>(blocks), dim3(kTile, kRows)}, args,
         args.in[0].as<std::uint32_t>(), adjoint, args.out[0].as<std::uint32_t>());
}

constexpr KernelInfo kRowsOfAdjoint[] = {
    {.name = "conv2d_adjoint_kernel_f32_cuda", .device = Device::Cuda, .run = run}};
constexpr OpRows kOps[] = {{"conv2d_adjoint_kernel", kRowsOfAdjoint}};

}  // namespace

std::span<const OpRows> conv2d_adjoint_kernel_rows() { return kOps; }

}  // namespace fastcnn::cuda

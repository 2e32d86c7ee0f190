// Computes   conv2d_adjoint_kernel: kernels turned by 180 degrees, input and output channels exchanged within each
//            group.
// Layout     HWIO in and out; a tap is a matrix of channels by filters, of which each group's part is transposed.
// Threads    256 for a tile of 32 x 32 items of one tap, through 4224 bytes of shared memory, each thread 4 items.
// Why        lanes run along the filters when reading and along the channels when writing; the odd row keeps them on
//            different banks. A tile covers the filters of many small groups.
// Bounds     memory. Where groups have few channels, lanes are left idle: such kernels are small.
#include "ops/conv2d_adjoint_kernel.h"

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

constexpr const char* kName = "conv2d_adjoint_kernel_f32_cuda";

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  turn_kernel(kName, args, p.window.h.size * p.window.w.size, p.group_channels(), p.group_filters(), p.groups,
              args.in[0].data, args.out[0].data);
}

constexpr KernelInfo kRowsOfAdjoint[] = {{.name = kName, .device = Device::Cuda, .run = run}};
constexpr OpRows kOps[] = {{"conv2d_adjoint_kernel", kRowsOfAdjoint}};

}  // namespace

void turn_kernel(const char* name, const KernelArgs& args, std::int64_t taps, std::int64_t channels,
                 std::int64_t filters, std::int64_t groups, const void* w, void* v) {
  const std::int64_t channel_tiles = ceil_div(channels, kTile), filter_tiles = ceil_div(groups * filters, kTile);
  if (channel_tiles == 0 || filter_tiles == 0) return;
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const Adjoint adjoint{.taps = narrow(taps),
                        .channels = narrow(channels),
                        .group_filters = narrow(filters),
                        .filters = narrow(groups * filters),
                        .channel_tiles = narrow(channel_tiles),
                        .filter_tiles = narrow(filter_tiles)};
  launch(name, turn, {static_cast<unsigned>(taps * channel_tiles * filter_tiles), dim3(kTile, kRows)}, args,
         static_cast<const std::uint32_t*>(w), adjoint, static_cast<std::uint32_t*>(v));
}

std::span<const OpRows> conv2d_adjoint_kernel_rows() { return kOps; }

}  // namespace fastcnn::cuda

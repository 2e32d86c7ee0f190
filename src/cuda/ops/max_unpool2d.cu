// max_unpool2d: the way back of max pooling, and its gradient (the contract: max_unpool2d.h).
#include "core/lanes.cuh"
#include "ops/max_unpool2d/max_unpool2d.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kForward[] = "max_unpool2d_f32_cuda", kGradient[] = "max_unpool2d_gradient_f32_cuda";

using Claim = unsigned long long;  // of a pixel of x for an element of y: its number in the picture, from 1 on; 0: none

__global__ void __launch_bounds__(kItemThreads) clear_claims(Claim* claims, std::int64_t items) {
  const std::int64_t item = item_of_thread();
  if (item < items) claims[item] = 0;
}

// Of several pixels with one index the last counts: the largest claim, whatever the order in which they come.
__global__ void __launch_bounds__(kItemThreads) claim_pixels(const std::int64_t* __restrict__ indices, Claim* claims,
                                                             std::int64_t items, Places places, Shape x, Shape y) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<1>(item);
  const std::int64_t index = indices[item];
  if (index >= 0 && index < y[1] * y[2])
    atomicMax(claims + (at.n * y[1] * y[2] + index) * y[3] + at.channel,
              static_cast<Claim>(at.row * x[2] + at.column + 1));
}

// Computes   max_unpool2d.
// Layout     NHWC, a channel a thread.
// Threads    256 a block.
// Why        values are scattered, and two may meet: so pixels of x claim elements of y by their number, the largest of
//            which wins atomically, and each element then takes what the winner has, with the same bits every time.
// Bound      by memory: 8 bytes of claims for each element of y are written twice and read once.
// Needs      the claims as workspace.
// Accuracy   exact.
__global__ void __launch_bounds__(kItemThreads)
    take_claimed(const float* __restrict__ x, const Claim* __restrict__ claims, float* __restrict__ y,
                 std::int64_t items, Places places, Shape x_shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<1>(item);
  const std::int64_t claim = static_cast<std::int64_t>(claims[item]);
  const std::int64_t pixel = at.n * x_shape[1] * x_shape[2] + claim - 1;
  y[item] = claim == 0 ? 0.0f : x[pixel * x_shape[3] + at.channel];
}

void run_forward(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  auto* claims = static_cast<Claim*>(args.workspace);
  launch(kForward, clear_claims, grid_of(y.size()), args, claims, y.size());
  if (x.size() > 0)
    launch(kForward, claim_pixels, grid_of(x.size()), args, args.in[1].as<std::int64_t>(), claims, x.size(),
           Places(x, 1), x, y);
  launch(kForward, take_claimed, grid_of(y.size()), args, args.in[0].as<float>(), claims, args.out[0].as<float>(),
         y.size(), Places(y, 1), x);
}

std::int64_t claims_workspace(const Problem& problem) {
  return problem.outputs[0].shape.size() * static_cast<std::int64_t>(sizeof(Claim));
}

// Computes   max_unpool2d_gradient.
// Layout, Threads as take_claimed.
// Why        a gather: each element of dx reads its index and one element of dy.
// Bound      by memory.
// Needs      nothing.
// Accuracy   exact.
__global__ void __launch_bounds__(kItemThreads)
    take_indexed(const float* __restrict__ dy, const std::int64_t* __restrict__ indices, float* __restrict__ dx,
                 std::int64_t items, Places places, Shape dy_shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<1>(item);
  const std::int64_t index = indices[item], pixels = dy_shape[1] * dy_shape[2];
  const bool inside = index >= 0 && index < pixels;
  dx[item] = inside ? dy[(at.n * pixels + index) * dy_shape[3] + at.channel] : 0.0f;
}

void run_gradient(const KernelArgs& args) {
  const Shape& dx = args.out[0].shape();
  launch(kGradient, take_indexed, grid_of(dx.size()), args, args.in[0].as<float>(), args.in[1].as<std::int64_t>(),
         args.out[0].as<float>(), dx.size(), Places(dx, 1), args.in[0].shape());
}

// ---- the rows -------------------------------------------------------------------------------

constexpr KernelInfo kRows[] = {
    {.name = kForward, .device = Device::Cuda, .run = run_forward, .workspace = claims_workspace}};
constexpr KernelInfo kGradientRows[] = {{.name = kGradient, .device = Device::Cuda, .run = run_gradient}};

}  // namespace

std::span<const OpRows> max_unpool2d_rows() {
  static constexpr OpRows rows[] = {{"max_unpool2d", kRows}, {"max_unpool2d_gradient", kGradientRows}};
  return rows;
}

}  // namespace fastcnn::cuda

// Computes   lrn and its gradient (the contract: ops/norm/norm.h).
// Layout     (pixels, channels).
// Threads    256, one element each. Shared memory, of the gradient: a float for each element of the block and of the
//            windows at its ends, 2 KB for up to 128 channels to either side; for more these terms lie in the
//            workspace.
// Why        windows overlap: their elements come from the cache, and what the gradient sums up, which takes a window
//            of its own for each element, is found once. Elements are counted through pixels, so any number of channels
//            fills the block.
// Bound by   memory, for windows of few channels.
// Needs      nothing.
// Accuracy   powf errs by 4 ulp at most; beta = 3/4 takes two square roots.
#include "core/divide.cuh"
#include "core/launch.h"
#include "ops/norm.h"
#include "ops/norm/norm.h"

namespace fastcnn::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kStagedHalf = 128;  // of a window, in shared memory

struct Windows {
  std::int64_t n, channels, half;
  Divisor pixel;
  LrnParams p;
  float gain;  // alpha / size

  // The sum of f(k) over the elements around e that exist.
  template <class F>
  __device__ __forceinline__ float around(std::int64_t e, const F& f) const {
    const std::int64_t first = pixel.divide(e) * channels;
    const std::int64_t end = min_i64(first + channels, e + half + 1);
    float sum = 0.0f;
    for (std::int64_t k = max_i64(first, e - half); k < end; ++k) sum += f(k);
    return sum;
  }
  __device__ __forceinline__ float base(const float* x, std::int64_t e) const {
    return fmaf(gain, around(e, [&](std::int64_t k) { return x[k] * x[k]; }), p.bias);
  }
  // v^-beta
  __device__ __forceinline__ float power(float v) const {
    if (p.beta == 0.75f) {
      const float root = sqrtf(v);
      return 1.0f / (root * sqrtf(root));
    }
    return powf(v, -p.beta);
  }
};

__global__ __launch_bounds__(kThreads) void normalise(const float* x, float* y, const Windows w) {
  const std::int64_t e = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (e < w.n) y[e] = x[e] * w.power(w.base(x, e));
}

// What the gradient sums up over a window.
__device__ __forceinline__ float term(const float* x, const float* dy, std::int64_t k, const Windows& w) {
  const float base = w.base(x, k);
  return dy[k] * x[k] * (w.power(base) / base);
}

__global__ __launch_bounds__(kThreads) void find_terms(const float* x, const float* dy, float* terms, const Windows w) {
  const std::int64_t e = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (e < w.n) terms[e] = term(x, dy, e, w);
}

// `found`: the terms; nullptr: of windows so small that they fit shared memory.
__global__ __launch_bounds__(kThreads) void gradient(const float* x, const float* dy, const float* found, float* dx,
                                                     const Windows w) {
  FC_SHARED(float, staged, [kThreads + 2 * kStagedHalf]);
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * kThreads, e = block + threadIdx.x;
  const std::int64_t before = block - w.half;
  if (found == nullptr) {
    for (std::int64_t i = threadIdx.x; i < kThreads + 2 * w.half; i += kThreads)
      if (before + i >= 0 && before + i < w.n) staged[i] = term(x, dy, before + i, w);
    __syncthreads();
  }
  if (e >= w.n) return;
  const float sum = w.around(e, [&](std::int64_t k) { return found == nullptr ? staged[k - before] : found[k]; });
  dx[e] = dy[e] * w.power(w.base(x, e)) - 2.0f * w.gain * w.p.beta * x[e] * sum;
}

Windows windows_of(const Problem& problem) {
  const auto& p = problem.as<LrnParams>();
  const Shape& s = problem.inputs[0].shape;
  const std::int64_t channels = s.back(), half = min_i64(p.size / 2, channels - 1);
  return {s.size(), channels, half, Divisor(channels), p, p.alpha / static_cast<float>(p.size)};
}

Grid grid_of(const Windows& w) { return {static_cast<unsigned>(ceil_div(w.n, kThreads)), kThreads}; }

}  // namespace

void lrn(const char* name, const KernelArgs& args) {
  const Windows w = windows_of(args.problem);
  launch(name, normalise, grid_of(w), args, args.in[0].as<float>(), args.out[0].as<float>(), w);
}

std::int64_t lrn_gradient_workspace(const Problem& problem) {
  const Windows w = windows_of(problem);
  return w.half > kStagedHalf ? w.n * static_cast<std::int64_t>(sizeof(float)) : 0;
}

void lrn_gradient(const char* name, const KernelArgs& args) {
  const Windows w = windows_of(args.problem);
  const float *x = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* found = nullptr;
  if (w.half > kStagedHalf) {
    found = static_cast<float*>(args.workspace);
    launch(name, find_terms, grid_of(w), args, x, dy, found, w);
  }
  launch(name, gradient, grid_of(w), args, x, dy, found, args.out[0].as<float>(), w);
}

}  // namespace fastcnn::cuda

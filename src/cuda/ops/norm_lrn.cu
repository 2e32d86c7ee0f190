// Computes   lrn and its gradient (the contract: ops/norm/norm.h).
// Layout     (pixels, channels).
// Threads    256, one element each. Shared memory, of the gradient: a float for each element of the block and of the
//            windows at its ends, 256 + 2 half (1 KB for the usual 5 channels).
// Why        windows overlap: their elements come from the cache, and what the gradient sums up, which takes a window
// of
//            its own for each element, is found once and kept in shared memory. Elements are counted through pixels, so
//            any number of channels fills the block.
// Bound by   memory, for windows of few channels.
// Needs      nothing; a gradient whose windows exceed shared memory (half > 4096) finds every term again.
// Accuracy   powf errs by 4 ulp at most; beta = 3/4 takes two square roots.
#include "core/divide.cuh"
#include "core/launch.h"
#include "ops/norm.h"
#include "ops/norm/norm.h"

namespace fastcnn::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kLargestHalf = 4096;

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

template <bool staged>
__global__ __launch_bounds__(kThreads) void gradient(const float* x, const float* dy, float* dx, const Windows w) {
  FC_DYNAMIC_SHARED(float, terms);
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * kThreads, e = block + threadIdx.x;
  const auto term = [&](std::int64_t k) {
    const float base = w.base(x, k);
    return dy[k] * x[k] * (w.power(base) / base);
  };
  if constexpr (staged) {
    for (std::int64_t i = threadIdx.x; i < kThreads + 2 * w.half; i += kThreads) {
      const std::int64_t k = block - w.half + i;
      if (k >= 0 && k < w.n) terms[i] = term(k);
    }
    __syncthreads();
  }
  if (e >= w.n) return;
  const float sum = w.around(e, [&](std::int64_t k) { return staged ? terms[k - (block - w.half)] : term(k); });
  dx[e] = dy[e] * w.power(w.base(x, e)) - 2.0f * w.gain * w.p.beta * x[e] * sum;
}

Windows windows_of(const KernelArgs& args) {
  const auto& p = args.problem.as<LrnParams>();
  const Shape& s = args.in[0].shape();
  const std::int64_t channels = s.back(), half = min_i64(p.size / 2, channels - 1);
  return {s.size(), channels, half, Divisor(channels), p, p.alpha / static_cast<float>(p.size)};
}

Grid grid_of(const Windows& w, std::size_t shared_bytes) {
  return {static_cast<unsigned>(ceil_div(w.n, kThreads)), kThreads, shared_bytes};
}

}  // namespace

void lrn(const char* name, const KernelArgs& args) {
  const Windows w = windows_of(args);
  launch(name, normalise, grid_of(w, 0), args, args.in[0].as<float>(), args.out[0].as<float>(), w);
}

void lrn_gradient(const char* name, const KernelArgs& args) {
  const Windows w = windows_of(args);
  const auto run = [&](auto kernel, std::int64_t floats) {
    launch(name, kernel, grid_of(w, static_cast<std::size_t>(floats) * sizeof(float)), args, args.in[0].as<float>(),
           args.in[1].as<float>(), args.out[0].as<float>(), w);
  };
  if (w.half <= kLargestHalf)
    run(gradient<true>, kThreads + 2 * w.half);
  else
    run(gradient<false>, 0);
}

}  // namespace fastcnn::cuda

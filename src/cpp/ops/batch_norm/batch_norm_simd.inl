// Computes   batch_norm, scale_shift (the contract: batch_norm.h).
// Layout     x as rows of channels; the vectors of one value a channel lie in the first-level cache.
// Tile       four registers of neighbouring channels a step, or of consecutive elements where there are few channels.
// Why        a multiply-add for one load and one store: bound by memory.
// Needs      nothing: the tail is a masked load. batch_norm's workspace holds one gain a channel.
// Accuracy   the reference's bits but for its activations (simd/math.inl).
#include "ops/activation/activate_run.inl"
#include "ops/batch_norm/batch_norm.h"
#include "ops/batch_norm/per_channel.inl"

namespace fastcnn::FC_SIMD {
namespace {

// y = f(x, at) for the run of n elements from `first` on; f loads vector v's values with at(v).
template <class F>
FC_INLINE void run(const KernelArgs& args, std::int64_t first, std::int64_t n, const F& f) {
  const float* x = args.in[0].as<float>() + first;
  float* y = args.out[0].as<float>() + first;
  constexpr int kUnroll = 4;
  std::int64_t i = 0;
  for (; i + kUnroll * F32::width <= n; i += kUnroll * F32::width)
    for (int r = 0; r < kUnroll; ++r) {
      const std::int64_t at = i + r * F32::width;
      store(y + at, f(load(x + at), [&](const float* v) { return load(v + at); }));
    }
  for (; i < n; i += F32::width)
    store(y + i, f(load(x + i, n - i), [&](const float* v) { return load(v + i, n - i); }), n - i);
}

}  // namespace

void batch_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Tensor* next = args.in + 1;
  const float* gamma = p.scale ? (next++)->as<float>() : nullptr;
  const float* beta = p.center ? (next++)->as<float>() : nullptr;
  const float *mean = next[0].as<float>(), *var = next[1].as<float>();
  float* gain = static_cast<float*>(args.workspace);
  const std::int64_t size = args.in[0].shape().size(), channels = args.in[0].shape().back();
  for (std::int64_t c = 0; c < channels; ++c) gain[c] = batch_norm_gain(p, gamma, var, c);
  each_run<3>(size, channels, {mean, gain, beta}, [&](std::int64_t i, std::int64_t n, const float* const* v) {
    if (beta)
      run(args, i, n, [&](F32 a, const auto& at) { return (a - at(v[0])) * at(v[1]) + at(v[2]); });
    else
      run(args, i, n, [&](F32 a, const auto& at) { return (a - at(v[0])) * at(v[1]); });
  });
}

void scale_shift(const KernelArgs& args) {
  const Epilogue& e = args.problem.as<ScaleShiftParams>().epilogue;
  const bool relu = e.activation == Activation::Relu, later = !relu && e.activation != Activation::Linear;
  each_run<2>(args.in[0].shape().size(), args.in[0].shape().back(), {args.in[1].as<float>(), args.in[2].as<float>()},
              [&](std::int64_t i, std::int64_t n, const float* const* v) {
                if (relu)
                  run(args, i, n, [&](F32 a, const auto& at) { return max(zero(), fma(a, at(v[0]), at(v[1]))); });
                else
                  run(args, i, n, [&](F32 a, const auto& at) { return fma(a, at(v[0]), at(v[1])); });
                if (later) activate_run(e, args.out[0].as<float>() + i, n);
              });
}

}  // namespace fastcnn::FC_SIMD

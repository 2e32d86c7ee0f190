// Computes   batch_norm, scale_shift (the contract: batch_norm.h).
// Layout     x as rows of channels; the vectors of one value a channel lie in the first-level cache.
// Tile       four registers of neighbouring channels a step, or of consecutive elements where there are few channels:
// then
//            the vectors are written out into buffers until they are long enough to keep whole registers busy.
// Why        a multiply-add for one load and one store: bound by memory.
// Needs      nothing: the tail is a masked load. batch_norm's workspace holds one gain a channel.
// Accuracy   the reference's bits but for its activations (simd/math.inl).
#include "ops/activation/activate_run.inl"
#include "ops/batch_norm/batch_norm.h"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kFewChannels = 64, kBuffer = 512;

// The per-channel vectors of an op, repeated where there are few channels.
template <int count>
struct PerChannel {
  const float* vectors[count];
  float buffer[count][kBuffer];
  std::int64_t length;  // a multiple of the channels

  FC_INLINE PerChannel(const float* const (&in)[count], std::int64_t channels) : length(channels) {
    for (int v = 0; v < count; ++v) vectors[v] = in[v];
    if (channels >= kFewChannels) return;
    length = kBuffer / channels * channels;
    for (int v = 0; v < count; ++v) {
      if (in[v] == nullptr) continue;
      for (std::int64_t i = 0; i < length; ++i) buffer[v][i] = i < channels ? in[v][i] : buffer[v][i - channels];
      vectors[v] = buffer[v];
    }
  }
};

// y = f(x, c) for the run of n elements whose channels start at 0; f loads its vectors at c, n lanes of them.
template <class F>
FC_INLINE void run(const float* x, float* y, std::int64_t n, const F& f) {
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

// Calls body(x, y, n, vectors) for runs of whole rows.
template <int count, class Body>
FC_INLINE void each_run(const KernelArgs& args, const float* const (&vectors)[count], const Body& body) {
  const Shape& shape = args.in[0].shape();
  const std::int64_t size = shape.size(), channels = shape.back();
  if (size == 0) return;
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  constexpr std::int64_t kTask = 16384;
  parallel_ranges(size, round_up(kTask, channels), [&](std::int64_t begin, std::int64_t end) {
    const PerChannel<count> per_channel(vectors, channels);
    for (std::int64_t i = begin; i < end; i += per_channel.length)
      body(x + i, y + i, min_i64(per_channel.length, end - i), per_channel.vectors);
  });
}

}  // namespace

void batch_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Tensor* next = args.in + 1;
  const float* gamma = p.scale ? (next++)->as<float>() : nullptr;
  const float* beta = p.center ? (next++)->as<float>() : nullptr;
  const float *mean = next[0].as<float>(), *var = next[1].as<float>();
  float* gain = static_cast<float*>(args.workspace);
  for (std::int64_t c = 0; c < args.in[0].shape().back(); ++c) gain[c] = batch_norm_gain(p, gamma, var, c);
  each_run<3>(args, {mean, gain, beta}, [&](const float* x, float* y, std::int64_t n, const float* const* v) {
    if (beta)
      run(x, y, n, [&](F32 a, const auto& at) { return (a - at(v[0])) * at(v[1]) + at(v[2]); });
    else
      run(x, y, n, [&](F32 a, const auto& at) { return (a - at(v[0])) * at(v[1]); });
  });
}

void scale_shift(const KernelArgs& args) {
  const Epilogue& e = args.problem.as<ScaleShiftParams>().epilogue;
  const bool relu = e.activation == Activation::Relu, later = !relu && e.activation != Activation::Linear;
  each_run<2>(args, {args.in[1].as<float>(), args.in[2].as<float>()},
              [&](const float* x, float* y, std::int64_t n, const float* const* v) {
                if (relu)
                  run(x, y, n, [&](F32 a, const auto& at) { return max(zero(), fma(a, at(v[0]), at(v[1]))); });
                else
                  run(x, y, n, [&](F32 a, const auto& at) { return fma(a, at(v[0]), at(v[1])); });
                if (later) activate_run(e, y, n);
              });
}

}  // namespace fastcnn::FC_SIMD

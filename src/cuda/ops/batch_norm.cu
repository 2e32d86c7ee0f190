// Batch normalisation with given statistics (the contract: ops/batch_norm/batch_norm.h).
#include "ops/batch_norm/batch_norm.h"

#include "core/elementwise.cuh"
#include "core/scalar.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kBatchNorm = "batch_norm_f32_cuda", *kScaleShift = "scale_shift_f32_cuda",
                     *kBatchNormScaleShift = "batch_norm_scale_shift_f32_cuda";

struct Vectors {  // of one value a channel; those that are no operands are null
  const float *gamma = nullptr, *beta = nullptr, *mean, *var;
  std::int64_t channels;

  Vectors(const BatchNormParams& p, const Tensor* next) {
    if (p.scale) gamma = (next++)->as<float>();
    if (p.center) beta = (next++)->as<float>();
    mean = next[0].as<float>();
    var = next[1].as<float>();
    channels = next[0].shape().back();
  }
};

// Computes   the gains of batch_norm, one a channel, in double.
// Layout     vectors of channels.
// Threads    each_group's; 40 registers.
// Bound      latency: a few values, once for each picture.
struct Gains {
  BatchNormParams p;
  const float *gamma, *var;
  float* gain;

  __device__ __forceinline__ void operator()(const Group& g) const {
    for (int i = 0; i < g.count; ++i) gain[g.first + i] = batch_norm_gain(p, gamma, var, g.first + i);
  }
};

// Computes   y = (x - mean) gain + beta.
// Layout     x as rows of channels.
// Threads    each_group's; 46 registers.
// Why        vectors of a value a channel come from the cache.
// Bound      memory.
// Needs      the gains in the workspace.
struct Normalize {
  const float *x, *mean, *gain, *beta;
  float* y;
  Walk<1> walk;  // of a vector

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<1> places = walk.places(g);
    Four<float> v = load(x, g);
    const Four<float> m = load<0>(mean, g, walk, places), r = load<0>(gain, g, walk, places);
    const Four<float> b = beta != nullptr ? load<0>(beta, g, walk, places) : Four<float>{};
#pragma unroll
    for (int i = 0; i < kGroup; ++i) v.at[i] = fmaf(v.at[i] - m.at[i], r.at[i], b.at[i]);
    store(y, g, v);
  }
};

// Computes   y = act(x scale + shift), as Normalize.
struct ScaleShift {
  const float *x, *scale, *shift;
  float* y;
  Walk<1> walk;
  Activation activation;
  float alpha;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<1> places = walk.places(g);
    Four<float> v = load(x, g);
    const Four<float> a = load<0>(scale, g, walk, places), b = load<0>(shift, g, walk, places);
    scalar::with_activation(activation, [&](auto k) {
#pragma unroll
      for (int i = 0; i < kGroup; ++i)
        v.at[i] = scalar::activate<decltype(k)::kind>(fmaf(v.at[i], a.at[i], b.at[i]), alpha);
    });
    store(y, g, v);
  }
};

// Computes   batch_norm_scale_shift, in double, as Gains.
struct Lower {
  BatchNormParams p;
  Vectors v;
  float *scale, *shift;

  __device__ __forceinline__ void operator()(const Group& g) const {
    for (int i = 0; i < g.count; ++i) {
      const std::int64_t c = g.first + i;
      const double gamma = v.gamma != nullptr ? static_cast<double>(v.gamma[c]) : 1.0;
      const double beta = v.beta != nullptr ? static_cast<double>(v.beta[c]) : 0.0;
      const double gain = gamma / ::sqrt(static_cast<double>(v.var[c]) + p.epsilon);
      scale[c] = static_cast<float>(gain);
      shift[c] = static_cast<float>(beta - static_cast<double>(v.mean[c]) * gain);
    }
  }
};

void batch_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Vectors v(p, args.in + 1);
  const float* x = args.in[0].as<float>();
  float *y = args.out[0].as<float>(), *gain = static_cast<float*>(args.workspace);
  const Shape& vector = args.in[args.problem.num_inputs - 1].shape();
  run_groups(kBatchNorm, args, v.channels, Gains{p, v.gamma, v.var, gain}, {});
  run_groups(kBatchNorm, args, args.out[0].shape().size(),
             Normalize{x, v.mean, gain, v.beta, y, Walk<1>({&vector}, args.out[0].shape())},
             {x, y, v.mean, gain, v.beta});
}

void scale_shift(const KernelArgs& args) {
  const Epilogue& e = args.problem.as<ScaleShiftParams>().epilogue;
  const float *x = args.in[0].as<float>(), *scale = args.in[1].as<float>(), *shift = args.in[2].as<float>();
  float* y = args.out[0].as<float>();
  const Walk<1> walk({&args.in[1].shape()}, args.out[0].shape());
  run_groups(kScaleShift, args, args.out[0].shape().size(), ScaleShift{x, scale, shift, y, walk, e.activation, e.alpha},
             {x, y, scale, shift});
}

void batch_norm_scale_shift(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Vectors v(p, args.in);
  run_groups(kBatchNormScaleShift, args, v.channels, Lower{p, v, args.out[0].as<float>(), args.out[1].as<float>()}, {});
}

std::int64_t gain_bytes(const Problem& problem) {
  return problem.inputs[0].shape.back() * static_cast<std::int64_t>(sizeof(float));
}

constexpr KernelInfo kBatchNormRows[] = {
    {.name = kBatchNorm, .device = Device::Cuda, .run = batch_norm, .workspace = gain_bytes}};
constexpr KernelInfo kScaleShiftRows[] = {{.name = kScaleShift, .device = Device::Cuda, .run = scale_shift}};
constexpr KernelInfo kBatchNormScaleShiftRows[] = {
    {.name = kBatchNormScaleShift, .device = Device::Cuda, .run = batch_norm_scale_shift}};
constexpr OpRows kRows[] = {{"batch_norm", kBatchNormRows},
                            {"batch_norm_scale_shift", kBatchNormScaleShiftRows},
                            {"scale_shift", kScaleShiftRows}};

}  // namespace

std::span<const OpRows> batch_norm_rows() { return kRows; }

}  // namespace fastcnn::cuda

// Random numbers (the contract: ops/random/random.h).
#include "ops/random/random.h"

#include "core/elementwise.cuh"
#include "core/scalar.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kDropout = "dropout_f32_cuda", *kUniform = "random_uniform_f32_cuda",
                     *kNormal = "random_normal_f32_cuda";

// The bits of a group's numbers, below 2^24: a group is what one counter gives words for.
__device__ __forceinline__ Four<float> draw(const RandomSource& source, const Tensor& key, const Group& g) {
  std::uint32_t words[4];
  philox(random_key(source, key), static_cast<std::uint32_t>(g.first / kGroup), words);
  Four<float> bits;
#pragma unroll
  for (int i = 0; i < kGroup; ++i) bits.at[i] = static_cast<float>(words[i] >> 8);
  return bits;
}

// Computes   dropout.
// Layout     one run of elements; the key is read by every thread.
// Threads    each_group's; 32 registers.
// Why        a counter's four words are a group's: none is drawn twice, and none is kept.
// Bound      memory, or ten rounds of two 64-bit products for four elements.
// Accuracy   the CPU's bits.
// Source     core/random.h.
struct Dropout {
  DropoutParams p;
  Tensor key;
  const float* x;
  float* y;

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = load(x, g);
    const Four<float> bits = draw(p.source, key, g);
#pragma unroll
    for (int i = 0; i < kGroup; ++i) v.at[i] = bits.at[i] >= p.threshold ? v.at[i] * p.scale : 0.0f;
    store(y, g, v);
  }
};

// Computes   random_uniform, as Dropout; the product is rounded before the sum, as the CPU's is.
struct Uniform {
  RandomSource source;
  Tensor key;
  float low, range, last;
  float* y;

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = draw(source, key, g);
#pragma unroll
    for (int i = 0; i < kGroup; ++i) v.at[i] = scalar::min(low + __fmul_rn(range, v.at[i] * 0x1p-24f), last);
    store(y, g, v);
  }
};

// Computes   random_normal, as Dropout; bound by arithmetic.
// Accuracy   a few roundings: the angle is taken from the nearest quarter of a turn exactly.
// Source     G. E. P. Box, M. E. Muller: A note on the generation of random normal deviates (1958).
struct Normal {
  RandomSource source;
  Tensor key;
  float mean, stddev;
  float* y;

  __device__ __forceinline__ void operator()(const Group& g) const {
    Four<float> v = draw(source, key, g);
#pragma unroll
    for (int i = 0; i < kGroup; i += 2) {
      const float radius = sqrtf(-2.0f * scalar::log((v.at[i] + 1.0f) * 0x1p-24f));
      float sine, cosine;
      scalar::sin_cos_of_turn(v.at[i + 1] * 0x1p-24f, &sine, &cosine);
      v.at[i] = fmaf(stddev, radius * cosine, mean);
      v.at[i + 1] = fmaf(stddev, radius * sine, mean);
    }
    store(y, g, v);
  }
};

void dropout(const KernelArgs& args) {
  const Dropout body{args.problem.as<DropoutParams>(), args.in[1], args.in[0].as<float>(), args.out[0].as<float>()};
  run_groups(kDropout, args, args.out[0].shape().size(), body, {body.x, body.y});
}

void random_uniform(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomUniformParams>();
  const Uniform body{p.source, args.in[0], p.low, p.range, p.last, args.out[0].as<float>()};
  run_groups(kUniform, args, p.shape.size(), body, {body.y});
}

void random_normal(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomNormalParams>();
  const Normal body{p.source, args.in[0], p.mean, p.stddev, args.out[0].as<float>()};
  run_groups(kNormal, args, p.shape.size(), body, {body.y});
}

constexpr KernelInfo kDropoutRows[] = {{.name = kDropout, .device = Device::Cuda, .run = dropout}};
constexpr KernelInfo kUniformRows[] = {{.name = kUniform, .device = Device::Cuda, .run = random_uniform}};
constexpr KernelInfo kNormalRows[] = {{.name = kNormal, .device = Device::Cuda, .run = random_normal}};
constexpr OpRows kRows[] = {
    {"dropout", kDropoutRows}, {"random_uniform", kUniformRows}, {"random_normal", kNormalRows}};

}  // namespace

std::span<const OpRows> random_rows() { return kRows; }

}  // namespace fastcnn::cuda

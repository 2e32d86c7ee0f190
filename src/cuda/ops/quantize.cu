// Between floats and codes of 8 bits (the contract: ops/quantize/quantize.h).
#include "ops/quantize/quantize.h"

#include "core/elementwise.cuh"
#include "core/per_channel.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kQuantize = "quantize_f32_cuda", *kDequantize = "dequantize_u8_cuda",
                     *kQuantizeWeights = "quantize_weights_f32_cuda";

// Computes   quantize.
// Layout     one run of elements.
// Threads    each_group's; 32 registers.
// Bound      memory.
// Accuracy   the CPU's codes.
struct Quantize {
  const float* x;
  std::uint8_t* y;
  float inverse, zero_point;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<float> v = load(x, g);
    Four<std::uint8_t> q;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      const float code = fmaf(v.at[i], inverse, zero_point);
      q.at[i] = code > 0.0f ? static_cast<std::uint8_t>(rintf(fminf(code, 255.0f))) : std::uint8_t{0};  // NaN gives 0
    }
    store(y, g, q);
  }
};

// Computes   dequantize, as Quantize.
struct Dequantize {
  const std::uint8_t* x;
  float* y;
  Quantization q;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<std::uint8_t> v = load(x, g);
    Four<float> r;
#pragma unroll
    for (int i = 0; i < kGroup; ++i)
      r.at[i] = q.scale * static_cast<float>(static_cast<std::int32_t>(v.at[i]) - q.zero_point);
    store(y, g, r);
  }
};

struct LargerNumber {  // a NaN counts for nothing
  __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Whether x is a positive normal number.
__device__ __forceinline__ bool is_normal(float x) { return x >= 1.17549435e-38f && x <= 3.40282347e38f; }

// Computes   the scales of quantize_weights.
// Layout     w as rows of channels.
// Threads    256: lanes x rows, over all rows; 1 KiB of shared memory, 32 registers.
// Why        weights are few, and quantized once: a block a group of channels needs no second pass.
// Bound      latency.
// Accuracy   exact: the largest of a set in any order.
__global__ void __launch_bounds__(kChannelThreads)
    largest_magnitudes(const float* w, std::int64_t rows, std::int64_t channels, int lanes, float* scales) {
  FC_SHARED(float, shared, [1][kChannelThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * lanes + (thread & (lanes - 1));
  const std::int64_t step = kChannelThreads / lanes;
  float largest[1] = {};
  for (std::int64_t row = thread / lanes; channel < channels && row < rows; row += step)
    largest[0] = fmaxf(largest[0], fabsf(w[row * channels + channel]));
  fold_rows(shared, largest, lanes, LargerNumber());
  if (thread >= lanes || channel >= channels) return;
  const float scale = shared[0][thread] / 127.0f;
  scales[channel] = is_normal(scale) && is_normal(1.0f / scale) ? scale : 1.0f;
}

// Computes   the codes of quantize_weights, as Quantize.
struct Codes {
  const float *w, *scales;
  std::int8_t* q;
  Divisor channels;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<float> v = load(w, g);
    Four<std::int8_t> codes;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      std::int64_t channel;
      channels.divide(g.first + min_i64(i, g.count - 1), &channel);
      const float code = rintf(v.at[i] / scales[channel]);
      codes.at[i] = static_cast<std::int8_t>(fminf(127.0f, fmaxf(-127.0f, code)));
    }
    store(q, g, codes);
  }
};

void quantize(const KernelArgs& args) {
  const Quantization& q = args.problem.as<QuantizeParams>().q;
  const Quantize body{args.in[0].as<float>(), args.out[0].as<std::uint8_t>(), 1.0f / q.scale,
                      static_cast<float>(q.zero_point)};
  run_groups(kQuantize, args, args.out[0].shape().size(), body, {body.x, body.y});
}

void dequantize(const KernelArgs& args) {
  const Dequantize body{args.in[0].as<std::uint8_t>(), args.out[0].as<float>(), args.problem.as<QuantizeParams>().q};
  run_groups(kDequantize, args, args.out[0].shape().size(), body, {body.x, body.y});
}

void quantize_weights(const KernelArgs& args) {
  const std::int64_t channels = args.problem.as<QuantizeWeightsParams>().channels;
  if (channels == 0) return;
  const std::int64_t size = args.in[0].shape().size();
  const int lanes = channel_lanes(channels);
  const float* w = args.in[0].as<float>();
  float* scales = args.out[1].as<float>();
  const auto blocks = static_cast<unsigned>(ceil_div(channels, lanes));
  launch(kQuantizeWeights, largest_magnitudes, {blocks, kChannelThreads}, args, w, size / channels, channels, lanes,
         scales);
  const Codes body{w, scales, args.out[0].as<std::int8_t>(), Divisor(channels)};
  run_groups(kQuantizeWeights, args, size, body, {body.w, body.q});
}

constexpr KernelInfo kQuantizeRows[] = {{.name = kQuantize, .device = Device::Cuda, .run = quantize}};
constexpr KernelInfo kDequantizeRows[] = {{.name = kDequantize, .device = Device::Cuda, .run = dequantize}};
constexpr KernelInfo kQuantizeWeightsRows[] = {
    {.name = kQuantizeWeights, .device = Device::Cuda, .run = quantize_weights}};
constexpr OpRows kRows[] = {
    {"quantize", kQuantizeRows}, {"dequantize", kDequantizeRows}, {"quantize_weights", kQuantizeWeightsRows}};

}  // namespace

std::span<const OpRows> quantize_rows() { return kRows; }

}  // namespace fastcnn::cuda

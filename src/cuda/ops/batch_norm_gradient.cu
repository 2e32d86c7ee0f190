// The gradient of batch normalisation (the contract: ops/batch_norm/batch_norm_training.h).
#include "core/elementwise.cuh"
#include "core/per_channel.cuh"
#include "core/scalar.cuh"
#include "ops/batch_norm/batch_norm_training.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "batch_norm_gradient_f32_cuda";

// Where the activation's slope is found.
enum class Source { Nowhere, Result, Operand };

// dz = dy act'(y) for the activations that are undone: relu, relu6, leaky_relu. Without branches, so that the loads of
// neighbouring rows need not wait for one another.
struct Undo {
  float alpha, top;  // the slope of the left side; where slopes end, NaN: nowhere
  bool leaky;

  explicit Undo(const BatchNormGradientParams& p)
      : alpha(p.alpha),
        top(p.activation == Activation::Relu6 ? 6.0f : __builtin_nanf("")),
        leaky(p.activation == Activation::LeakyRelu) {}

  __device__ __forceinline__ float operator()(float y, float dy) const {
    const float left = leaky ? dy * alpha : 0.0f;
    return y <= 0.0f ? left : y >= top ? 0.0f : dy;
  }
};

// The sums over rows of dz, dz (x - mean) and x - mean, for sum_chunks.
template <Source source>
struct Terms {
  BatchNormGradientOperands<float> o;
  Undo undo;

  __device__ __forceinline__ void operator()(std::int64_t at, std::int64_t c, float (&values)[3]) const {
    const float deviation = o.x[at] - o.mean[c];
    float dz = o.dy[at];
    if constexpr (source == Source::Result) dz = undo(o.y[at], dz);
    if constexpr (source == Source::Operand)
      dz = undo(fmaf(deviation, batch_norm_gain_of(o.rstd[c], o.gamma, c), o.shift[c]), dz);
    values[0] = dz;
    values[1] = dz * deviation;
    values[2] = deviation;
  }
};

struct Vectors {  // dx = dz of_dz + (x - mean) of_x + constant
  float *of_dz, *of_x, *constant;
  float *dgamma, *dbeta;  // results
};

// Computes   dgamma, dbeta and the factors of dx of each channel, from the chunks' sums, in double.
// Layout     the chunks' sums as rows of channels.
// Threads    256: 8 channels x 32 chunks; 6 KiB of shared memory, 38 registers.
// Why        few chunks beside the rows that they stand for; 32 of them at once hide the latency.
// Bound      latency.
// Accuracy   what rounding left of the mean is found from the data.
__global__ void __launch_bounds__(kChannelThreads)
    join_gradient(const float* sums, const ChannelChunks cut, const float* gamma, const float* rstd, bool training,
                  const Vectors out) {
  FC_SHARED(double, shared, [3][kChannelThreads]);
  const std::int64_t c = join_channel();
  const bool inside = c < cut.channels;
  double total[3];
  sum_over_chunks(shared, cut.chunks, inside, total, [&](std::int64_t chunk, double* values) {
#pragma unroll
    for (int k = 0; k < 3; ++k) values[k] = static_cast<double>(sums[(3 * chunk + k) * cut.channels + c]);
  });
  if (!inside || threadIdx.x >= kJoinLanes) return;
  const auto n = static_cast<double>(max_i64(1, cut.rows)), r = static_cast<double>(rstd[c]);
  const double sum = total[0], rest = training ? total[2] / n : 0.0;
  const double gain = gamma != nullptr ? r * static_cast<double>(gamma[c]) : r;
  const double gradient = (total[1] - rest * sum) * r, slope = training ? -gain * r * gradient / n : 0.0;
  out.dgamma[c] = static_cast<float>(gradient);
  out.dbeta[c] = static_cast<float>(sum);
  out.of_dz[c] = batch_norm_gain_of(rstd[c], gamma, c);
  out.of_x[c] = static_cast<float>(slope);
  out.constant[c] = training ? static_cast<float>(-gain * sum / n - slope * rest) : 0.0f;
}

// Computes   dx = dz of_dz + (x - mean) of_x + constant.
// Layout     x as rows of channels.
// Threads    each_group's; 48 registers.
// Why        vectors of a value a channel come from the cache; x is not read where nothing depends on it.
// Bound      memory.
template <Source source>
struct Apply {
  BatchNormGradientOperands<float> o;
  Undo undo;
  Vectors v;
  float* dx;
  Walk<1> walk;  // of a vector
  bool training;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<1> places = walk.places(g);
    Four<float> dz = load(o.dy, g), rest = {};
    const Four<float> gain = load<0>(v.of_dz, g, walk, places);
    if (training || source == Source::Operand) {
      const Four<float> x = load(o.x, g), mean = load<0>(o.mean, g, walk, places);
      const Four<float> slope = load<0>(v.of_x, g, walk, places), constant = load<0>(v.constant, g, walk, places);
      Four<float> shift = {};
      if constexpr (source == Source::Operand) shift = load<0>(o.shift, g, walk, places);
#pragma unroll
      for (int i = 0; i < kGroup; ++i) {
        const float deviation = x.at[i] - mean.at[i];
        if constexpr (source == Source::Operand) dz.at[i] = undo(fmaf(deviation, gain.at[i], shift.at[i]), dz.at[i]);
        if (training) rest.at[i] = fmaf(deviation, slope.at[i], constant.at[i]);
      }
    }
    if constexpr (source == Source::Result) {
      const Four<float> y = load(o.y, g);
#pragma unroll
      for (int i = 0; i < kGroup; ++i) dz.at[i] = undo(y.at[i], dz.at[i]);
    }
#pragma unroll
    for (int i = 0; i < kGroup; ++i) dz.at[i] = fmaf(dz.at[i], gain.at[i], rest.at[i]);
    store(dx, g, dz);
  }
};

template <Source source>
void run_from(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormGradientParams>();
  const BatchNormGradientOperands<float> o(args);
  if (o.channels == 0) return;
  const ChannelChunks cut(o.rows, o.channels);
  const std::int64_t vector = round_up(o.channels, 4);
  float* sums = static_cast<float*>(args.workspace);
  float* of_dz = sums + sums_floats(cut);
  const Vectors v{of_dz, of_dz + vector, of_dz + 2 * vector, args.out[1].as<float>(), args.out[2].as<float>()};
  const Undo undo(p);
  if (cut.chunks > 0)
    launch(kName, sum_chunks<3, Terms<source>>, {cut.blocks(), kChannelThreads}, args, cut, Terms<source>{o, undo},
           sums);
  launch(kName, join_gradient, {join_blocks(o.channels), kChannelThreads}, args, sums, cut, o.gamma, o.rstd,
         p.training != 0, v);
  float* dx = args.out[0].as<float>();
  const Walk<1> walk({&args.out[1].shape()}, args.out[0].shape());
  run_groups(kName, args, o.rows * o.channels, Apply<source>{o, undo, v, dx, walk, p.training != 0},
             {o.x, o.dy, o.y, o.mean, o.shift, of_dz, dx});
}

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormGradientParams>();
  if (p.activation == Activation::Linear) return run_from<Source::Nowhere>(args);
  p.from_x ? run_from<Source::Operand>(args) : run_from<Source::Result>(args);
}

constexpr KernelInfo kGradient[] = {
    {.name = kName, .device = Device::Cuda, .run = run, .workspace = channel_workspace<3>}};
constexpr OpRows kRows[] = {{"batch_norm_gradient", kGradient}};

}  // namespace

std::span<const OpRows> batch_norm_gradient_rows() { return kRows; }

}  // namespace fastcnn::cuda

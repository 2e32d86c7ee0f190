// Batch normalisation by the statistics of the batch itself (the contract: ops/batch_norm/batch_norm_training.h).
#include "ops/batch_norm/batch_norm_training.h"

#include "core/elementwise.cuh"
#include "core/per_channel.cuh"
#include "core/scalar.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "batch_norm_training_f32_cuda";

// Computes   what a chunk leaves for each channel: its mean, then the sums of the deviations from it and of their
//            squares, as three rows of channels.
// Layout     x as rows of channels.
// Threads    256: lanes x rows; 32 values of each thread stay in registers (58 in all), 3 KiB of shared memory.
// Why        deviations need the chunk's mean: values kept in registers are read once, and 32 loads are under way.
// Bound      memory.
// Accuracy   deviations are taken from the mean rounded to float, and what the rounding left is found beside their
//            squares: a large mean costs no digits.
// Source     Chan, Golub, LeVeque: Algorithms for computing the sample variance (1983).
__global__ void __launch_bounds__(kChannelThreads) chunk_moments(const float* x, const ChannelChunks cut, float* sums) {
  FC_SHARED(float, of_values, [1][kChannelThreads]);
  FC_SHARED(float, of_deviations, [2][kChannelThreads]);
  const ChannelThread t(cut);
  float v[kRowsOfThread];
#pragma unroll
  for (int i = 0; i < kRowsOfThread; ++i) v[i] = i < t.rows ? x[t.first + i * (t.row_step * cut.channels)] : 0.0f;
  float total[1] = {};
#pragma unroll
  for (int i = 0; i < kRowsOfThread; ++i) total[0] += v[i];
  fold_rows(of_values, total, cut.lanes, Add());
  const int lane = static_cast<int>(threadIdx.x) & (cut.lanes - 1);
  const float mean = of_values[0][lane] / static_cast<float>(cut.rows_of(t.chunk));
  float sum[2] = {};
#pragma unroll
  for (int i = 0; i < kRowsOfThread; ++i)
    if (i < t.rows) {
      const float deviation = v[i] - mean;
      sum[0] += deviation;
      sum[1] = fmaf(deviation, deviation, sum[1]);
    }
  fold_rows(of_deviations, sum, cut.lanes, Add());
  if (static_cast<int>(threadIdx.x) >= cut.lanes || t.channel >= cut.channels) return;
  float* out = sums + 3 * t.chunk * cut.channels + t.channel;
  out[0] = mean;
  out[cut.channels] = of_deviations[0][lane];
  out[2 * cut.channels] = of_deviations[1][lane];
}

struct Statistics {  // results, and the gain that normalizes: y = (x - mean) gain + shift
  float *mean, *variance, *rstd, *shift, *gain;
};

// Computes   the statistics of each channel from those of the chunks, in double.
// Layout     the chunks' sums as rows of channels.
// Threads    256: 8 channels x 32 chunks; 2 KiB of shared memory, 48 registers.
// Why        few chunks beside the rows that they stand for; 32 of them at once hide the latency.
// Bound      latency.
// Accuracy   what rounding added to the mean goes into the shift.
__global__ void __launch_bounds__(kChannelThreads)
    join_moments(const float* sums, const ChannelChunks cut, const float* gamma, const float* beta, double epsilon,
                 const Statistics out) {
  FC_SHARED(double, shared, [1][kChannelThreads]);
  const std::int64_t c = join_channel();
  const bool inside = c < cut.channels;
  const auto at = [&](std::int64_t k, int which) {
    return static_cast<double>(sums[(3 * k + which) * cut.channels + c]);
  };
  const auto rows = static_cast<double>(cut.rows);
  double total[1];
  sum_over_chunks(shared, cut.chunks, inside, total, [&](std::int64_t k, double* values) {
    values[0] = static_cast<double>(cut.rows_of(k)) * at(k, 0) + at(k, 1);
  });
  const double mean = total[0] / rows;
  sum_over_chunks(shared, cut.chunks, inside, total, [&](std::int64_t k, double* values) {
    const auto n = static_cast<double>(cut.rows_of(k));
    const double rest = at(k, 1) / n, apart = at(k, 0) + rest - mean;
    values[0] = at(k, 2) - rest * at(k, 1) + n * apart * apart;
  });
  const double squares = total[0] / rows, variance = squares < 0.0 ? 0.0 : squares;  // NaN stays
  if (!inside || threadIdx.x >= kJoinLanes) return;
  const auto rounded = static_cast<float>(mean), rstd = static_cast<float>(1.0 / ::sqrt(variance + epsilon));
  const float gain = batch_norm_gain_of(rstd, gamma, c);
  out.mean[c] = rounded;
  out.variance[c] = static_cast<float>(variance);
  out.rstd[c] = rstd;
  out.gain[c] = gain;
  out.shift[c] = batch_norm_shift_of(rounded, mean, gain, beta, c);
}

// Computes   y = act((x - mean) gain + shift + residual).
// Layout     x as rows of channels.
// Threads    each_group's; 48 registers.
// Why        vectors of a value a channel come from the cache.
// Bound      memory.
// Accuracy   a few roundings, then the activation (simd/math.inl).
struct Normalize {
  const float *x, *residual, *mean, *gain, *shift;
  float* y;
  Walk<1> walk;  // of a vector
  Activation activation;
  float alpha;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<1> places = walk.places(g);
    Four<float> v = load(x, g);
    const Four<float> r = residual != nullptr ? load(residual, g) : Four<float>{};
    const Four<float> m = load<0>(mean, g, walk, places), a = load<0>(gain, g, walk, places),
                      b = load<0>(shift, g, walk, places);
    scalar::with_activation(activation, [&](auto k) {
#pragma unroll
      for (int i = 0; i < kGroup; ++i)
        v.at[i] = scalar::activate<decltype(k)::kind>(fmaf(v.at[i] - m.at[i], a.at[i], b.at[i]) + r.at[i], alpha);
    });
    store(y, g, v);
  }
};

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormTrainingParams>();
  const BatchNormTrainingOperands<float> o(args);
  if (o.channels == 0) return;
  const ChannelChunks cut(o.rows, o.channels);
  float* sums = static_cast<float*>(args.workspace);
  const Statistics s{args.out[1].as<float>(), args.out[2].as<float>(), args.out[3].as<float>(), args.out[4].as<float>(),
                     sums + sums_floats(cut)};
  if (cut.chunks > 0) launch(kName, chunk_moments, {cut.blocks(), kChannelThreads}, args, o.x, cut, sums);
  launch(kName, join_moments, {join_blocks(o.channels), kChannelThreads}, args, sums, cut, o.gamma, o.beta, p.epsilon,
         s);
  float* y = args.out[0].as<float>();
  const Walk<1> walk({&args.out[1].shape()}, args.out[0].shape());
  run_groups(kName, args, o.rows * o.channels,
             Normalize{o.x, o.residual, s.mean, s.gain, s.shift, y, walk, p.epilogue.activation, p.epilogue.alpha},
             {o.x, o.residual, s.mean, s.gain, s.shift, y});
}

constexpr KernelInfo kTraining[] = {
    {.name = kName, .device = Device::Cuda, .run = run, .workspace = channel_workspace<1>}};
constexpr OpRows kRows[] = {{"batch_norm_training", kTraining}};

}  // namespace

std::span<const OpRows> batch_norm_training_rows() { return kRows; }

}  // namespace fastcnn::cuda

// The CUDA rows of the cross_entropy room.
//
// Computes   softmax_cross_entropy, sigmoid_cross_entropy and their gradients (the contract:
//            ops/cross_entropy/cross_entropy.h).
// Layout     contiguous; classes are the last axis.
// Threads    blocks of 256. With softmax a team for each row (core/axis_team.cuh): 8 threads up to 8 classes, a warp up
//            to 512, the block beyond; up to 4096 classes the logits are kept in registers. With the sigmoid four
//            elements a thread (core/elementwise.cuh). Shared memory: 32 bytes.
// Why        a row is read once, by neighbouring threads, and its loss written by one of them.
// Bound by   memory.
// Needs      nothing.
// Accuracy   sums are trees over blocks of 32 terms (core/reduce.cuh); expf, logf and log1pf err by 2 ulp at most.
#include "ops/cross_entropy/cross_entropy.h"

#include "core/axis_team.cuh"
#include "core/elementwise.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kSoftmax = "softmax_cross_entropy_f32_cuda";
constexpr const char* kSoftmaxGradient = "softmax_cross_entropy_gradient_f32_cuda";
constexpr const char* kSigmoid = "sigmoid_cross_entropy_f32_cuda";
constexpr const char* kSigmoidGradient = "sigmoid_cross_entropy_gradient_f32_cuda";

template <class Team>
__global__ __launch_bounds__(kTeamThreads) void softmax_loss(const float* logits, const Tensor labels, float* loss,
                                                             float* lse, const Lines lines,
                                                             const CrossEntropyParams p) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  Kept<Team> x(logits);
  float m = -INFINITY;
  team.each([&](int slot, std::int64_t at, std::int64_t) { m = Larger()(m, x.read(slot, at)); });
  m = team.reduce(m, Larger());
  BlockedSum exponentials;
  team.each([&](int slot, std::int64_t at, std::int64_t) { exponentials.add(expf(x.again(slot, at) - m)); });
  const float log_sum = logf(team.reduce(exponentials.value(), Add()));
  float result = 0.0f;
  if (p.shares) {
    const float* t = labels.as<float>();
    BlockedSum terms;
    team.each([&](int slot, std::int64_t at, std::int64_t) {
      if (t[at] != 0.0f) terms.add(t[at] * (log_sum - (x.again(slot, at) - m)));
    });
    result = team.reduce(terms.value(), Add());
  }
  if (!team.leads()) return;
  if (!p.shares)
    if (const RowLabel l = row_label(p, labels, team.line(), lines.n); !l.ignored)
      result = l.valid ? log_sum - (logits[team.start() + l.label] - m) : NAN;
  loss[team.line()] = result;
  lse[team.line()] = m + log_sum;
}

// dx may lie over the logits. Three blocks of a multiprocessor leave 80 registers: for sm_90 ptxas kept to 64 by
// itself, and spilled.
template <class Team>
__global__ __launch_bounds__(kTeamThreads, 3) void softmax_gradient(const float* logits, const Tensor labels,
                                                                    const float* lse, const float* dloss, float* dx,
                                                                    const Lines lines, const CrossEntropyParams p) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  const bool exists = team.exists();
  const float log_sum = exists ? lse[team.line()] : 0.0f, scale = exists ? dloss[team.line()] : 0.0f;
  if (p.shares) {
    Kept<Team> t(labels.as<float>());
    BlockedSum shares;
    team.each([&](int slot, std::int64_t at, std::int64_t) { shares.add(t.read(slot, at)); });
    const float total = team.reduce(shares.value(), Add());
    team.each([&](int slot, std::int64_t at, std::int64_t) {
      dx[at] = (expf(logits[at] - log_sum) * total - t.again(slot, at)) * scale;
    });
  } else if (exists) {
    const RowLabel l = row_label(p, labels, team.line(), lines.n);
    team.each([&](int, std::int64_t at, std::int64_t k) {
      const float g = (expf(logits[at] - log_sum) - (k == l.label ? 1.0f : 0.0f)) * scale;
      dx[at] = l.ignored ? 0.0f : l.valid ? g : NAN;
    });
  }
}

struct SigmoidLoss {
  const float *x, *t;
  float* loss;
  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<float> a = load(x, g), b = load(t, g);
    Four<float> y;
#pragma unroll
    for (int k = 0; k < kGroup; ++k)
      y.at[k] = Larger()(a.at[k], 0.0f) - a.at[k] * b.at[k] + log1pf(expf(-fabsf(a.at[k])));
    store(loss, g, y);
  }
};

struct SigmoidGradient {
  const float *x, *t, *dloss;
  float* dx;
  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<float> a = load(x, g), b = load(t, g), upstream = load(dloss, g);
    Four<float> y;
#pragma unroll
    for (int k = 0; k < kGroup; ++k) y.at[k] = (1.0f / (1.0f + expf(-a.at[k])) - b.at[k]) * upstream.at[k];
    store(dx, g, y);
  }
};

Lines rows_of(const Shape& logits) { return lines_of(logits, logits.rank - 1, logits.rank - 1); }

void run_softmax(const KernelArgs& args) {
  const Lines lines = rows_of(args.in[0].shape());
  with_row_team(lines.n, [&](auto type) {
    using Team = typename decltype(type)::type;
    launch(kSoftmax, softmax_loss<Team>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), args.in[1], args.out[0].as<float>(), args.out[1].as<float>(), lines,
           args.problem.as<CrossEntropyParams>());
  });
}

void run_softmax_gradient(const KernelArgs& args) {
  const Lines lines = rows_of(args.in[0].shape());
  with_row_team(lines.n, [&](auto type) {
    using Team = typename decltype(type)::type;
    launch(kSoftmaxGradient, softmax_gradient<Team>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), args.in[1], args.in[2].as<float>(), args.in[3].as<float>(), args.out[0].as<float>(),
           lines, args.problem.as<CrossEntropyParams>());
  });
}

void run_sigmoid(const KernelArgs& args) {
  const SigmoidLoss body{args.in[0].as<float>(), args.in[1].as<float>(), args.out[0].as<float>()};
  run_groups(kSigmoid, args, args.out[0].shape().size(), body, {body.x, body.t, body.loss});
}

void run_sigmoid_gradient(const KernelArgs& args) {
  const SigmoidGradient body{args.in[0].as<float>(), args.in[1].as<float>(), args.in[2].as<float>(),
                             args.out[0].as<float>()};
  run_groups(kSigmoidGradient, args, args.out[0].shape().size(), body, {body.x, body.t, body.dloss, body.dx});
}

constexpr KernelInfo kSoftmaxRows[] = {{.name = kSoftmax, .device = Device::Cuda, .run = run_softmax}};
constexpr KernelInfo kSoftmaxGradientRows[] = {
    {.name = kSoftmaxGradient, .device = Device::Cuda, .run = run_softmax_gradient}};
constexpr KernelInfo kSigmoidRows[] = {{.name = kSigmoid, .device = Device::Cuda, .run = run_sigmoid}};
constexpr KernelInfo kSigmoidGradientRows[] = {
    {.name = kSigmoidGradient, .device = Device::Cuda, .run = run_sigmoid_gradient}};
constexpr OpRows kOps[] = {{"softmax_cross_entropy", kSoftmaxRows},
                           {"softmax_cross_entropy_gradient", kSoftmaxGradientRows},
                           {"sigmoid_cross_entropy", kSigmoidRows},
                           {"sigmoid_cross_entropy_gradient", kSigmoidGradientRows}};

}  // namespace

std::span<const OpRows> cross_entropy_rows() { return kOps; }

}  // namespace fastcnn::cuda

// The CUDA rows of the norm room, and the kernels of layer_norm and l2_normalize.
//
// Computes   y = (x - mean) / sqrt(var + epsilon) gamma + beta; y = x / sqrt(max(sum of x^2, epsilon)) (the contract:
//            ops/norm/norm.h).
// Layout     layer_norm: rows; l2_normalize: lines (rows, n, step).
// Threads    blocks of 256: 8 threads a row up to 8 elements, a warp up to 512, the block beyond; up to 4096 elements
//            are kept in registers (16 a thread), so they are read once. step > 1: one column a line. Shared memory: 32
//            bytes, of columns 1 KB.
// Why        neighbouring threads read neighbouring elements; a warp needs no barrier.
// Bound by   memory; lines beyond 4096 elements are read again from the cache.
// Needs      nothing.
// Accuracy   sums are trees over blocks of 32 terms (core/reduce.cuh). The mean of the deviations corrects what
//            rounding left in the mean, so a large mean costs no digits.
#include "ops/norm.h"

#include "core/axis_team.cuh"
#include "ops/norm/norm.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kGroupNorm = "group_norm_f32_cuda", *kInstanceNorm = "instance_norm_f32_cuda";
constexpr const char *kLayerNorm = "layer_norm_f32_cuda", *kL2Normalize = "l2_normalize_f32_cuda";
constexpr const char *kLrn = "lrn_f32_cuda", *kLrnGradient = "lrn_gradient_f32_cuda";

// gamma and beta may be nullptr: 1 and 0. y may lie over x, as below.
template <class Team>
__global__ __launch_bounds__(kTeamThreads) void layer_norm(const float* from, const float* gamma, const float* beta,
                                                           float* y, const Lines lines, float epsilon) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  const float count = static_cast<float>(lines.n);
  Kept<Team> x(from);
  BlockedSum sum;
  team.each([&](int slot, std::int64_t at, std::int64_t) { sum.add(x.read(slot, at)); });
  const float mean = team.reduce(sum.value(), Add()) / count;
  BlockedSum deviations, squares;
  team.each([&](int slot, std::int64_t at, std::int64_t) {
    const float d = x.again(slot, at) - mean;
    deviations.add(d);
    squares.add(d * d);
  });
  const float rest = team.reduce(deviations.value(), Add()) / count;  // of the mean
  const float variance = team.reduce(squares.value(), Add()) / count - rest * rest;
  const float gain = 1.0f / sqrtf((variance < 0.0f ? 0.0f : variance) + epsilon);
  team.each([&](int slot, std::int64_t at, std::int64_t i) {
    const float normal = ((x.again(slot, at) - mean) - rest) * gain;
    y[at] = fmaf(normal, gamma ? gamma[i] : 1.0f, beta ? beta[i] : 0.0f);
  });
}

template <class Team>
__global__ __launch_bounds__(kTeamThreads) void l2_normalize(const float* from, float* y, const Lines lines,
                                                             float epsilon) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  Kept<Team> x(from);
  BlockedSum squares;
  team.each([&](int slot, std::int64_t at, std::int64_t) {
    const float v = x.read(slot, at);
    squares.add(v * v);
  });
  const float sum = team.reduce(squares.value(), Add()), length = sqrtf(sum < epsilon ? epsilon : sum);
  team.each([&](int slot, std::int64_t at, std::int64_t) { y[at] = x.again(slot, at) / length; });
}

void run_layer_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<LayerNormParams>();
  const Shape& s = args.in[0].shape();
  const Lines lines = lines_of(s, s.rank - p.axes, s.rank - 1);
  const float* gamma = p.scale ? args.in[1].as<float>() : nullptr;
  const float* beta = p.center ? args.in[1 + p.scale].as<float>() : nullptr;
  with_row_team(lines.n, [&](auto type) {
    using Team = typename decltype(type)::type;
    launch(kLayerNorm, layer_norm<Team>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), gamma, beta, args.out[0].as<float>(), lines, p.epsilon);
  });
}

void run_l2_normalize(const KernelArgs& args) {
  const auto& p = args.problem.as<L2NormalizeParams>();
  with_team(lines_of(args.in[0].shape(), p.first, p.last), [&](auto type, const Lines& lines) {
    using Team = typename decltype(type)::type;
    launch(kL2Normalize, l2_normalize<Team>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), args.out[0].as<float>(), lines, p.epsilon);
  });
}

void run_group_norm(const KernelArgs& args) { group_norm(kGroupNorm, args); }
void run_instance_norm(const KernelArgs& args) { group_norm(kInstanceNorm, args); }
void run_lrn(const KernelArgs& args) { lrn(kLrn, args); }
void run_lrn_gradient(const KernelArgs& args) { lrn_gradient(kLrnGradient, args); }

constexpr KernelInfo kGroupNormRows[] = {
    {.name = kGroupNorm, .device = Device::Cuda, .run = run_group_norm, .workspace = group_norm_workspace}};
constexpr KernelInfo kInstanceNormRows[] = {
    {.name = kInstanceNorm, .device = Device::Cuda, .run = run_instance_norm, .workspace = group_norm_workspace}};
constexpr KernelInfo kLayerNormRows[] = {{.name = kLayerNorm, .device = Device::Cuda, .run = run_layer_norm}};
constexpr KernelInfo kL2NormalizeRows[] = {{.name = kL2Normalize, .device = Device::Cuda, .run = run_l2_normalize}};
constexpr KernelInfo kLrnRows[] = {{.name = kLrn, .device = Device::Cuda, .run = run_lrn}};
constexpr KernelInfo kLrnGradientRows[] = {
    {.name = kLrnGradient, .device = Device::Cuda, .run = run_lrn_gradient, .workspace = lrn_gradient_workspace}};
constexpr OpRows kOps[] = {{"group_norm", kGroupNormRows},
                           {"instance_norm", kInstanceNormRows},
                           {"layer_norm", kLayerNormRows},
                           {"l2_normalize", kL2NormalizeRows},
                           {"lrn", kLrnRows},
                           {"lrn_gradient", kLrnGradientRows}};

}  // namespace

std::span<const OpRows> norm_rows() { return kOps; }

}  // namespace fastcnn::cuda

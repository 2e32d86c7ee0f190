// The CUDA rows of the softmax room.
//
// Computes   softmax, log_softmax and their gradients (the contract: ops/softmax/softmax.h).
// Layout     any axis: lines (rows, n, step).
// Threads    blocks of 256. step 1: 8 threads a line up to 8 elements, a warp up to 512, the block beyond; up to 4096
//            elements are kept in registers (16 a thread; of the gradients 2 x 16), so they are read once. step > 1:
//            one column a line. Shared memory: 32 bytes, of columns 1 KB.
// Why        neighbouring threads read neighbouring elements in all forms; a warp needs no barrier.
// Bound by   memory; lines beyond 4096 elements are read three times, twice of these from the cache.
// Needs      nothing.
// Accuracy   sums are trees over blocks of 32 terms (core/reduce.cuh); expf and logf err by 2 ulp at most.
#include "ops/softmax/softmax.h"

#include "core/axis_team.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kSoftmax = "softmax_f32_cuda", *kLogSoftmax = "log_softmax_f32_cuda";
constexpr const char* kGradient = "softmax_gradient_f32_cuda";
constexpr const char* kLogGradient = "log_softmax_gradient_f32_cuda";

// What becomes of x - m, scale(s) being found once a line.
struct Normal {
  static __device__ __forceinline__ float scale(float s) { return 1.0f / s; }
  static __device__ __forceinline__ float finish(float d, float scale) { return expf(d) * scale; }
};
struct Logarithm {
  static __device__ __forceinline__ float scale(float s) { return logf(s); }
  static __device__ __forceinline__ float finish(float d, float scale) { return d - scale; }
};

// y may lie over x: every element is read and written by one thread, which writes when the line has been reduced.
template <class Team, class Function>
__global__ __launch_bounds__(kTeamThreads) void normalise(const float* from, float* y, const Lines lines) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  Kept<Team> x(from);
  float m = -INFINITY;
  team.each([&](int slot, std::int64_t at, std::int64_t) { m = Larger()(m, x.read(slot, at)); });
  m = team.reduce(m, Larger());
  BlockedSum s;
  team.each([&](int slot, std::int64_t at, std::int64_t) { s.add(expf(x.again(slot, at) - m)); });
  const float scale = Function::scale(team.reduce(s.value(), Add()));
  team.each([&](int slot, std::int64_t at, std::int64_t) { y[at] = Function::finish(x.again(slot, at) - m, scale); });
}

struct NormalGradient {
  static __device__ __forceinline__ float term(float y, float dy) { return y * dy; }
  static __device__ __forceinline__ float finish(float y, float dy, float sum) { return y * (dy - sum); }
};
struct LogarithmGradient {
  static __device__ __forceinline__ float term(float, float dy) { return dy; }
  static __device__ __forceinline__ float finish(float y, float dy, float sum) { return dy - expf(y) * sum; }
};

template <class Team, class Function>
__global__ __launch_bounds__(kTeamThreads) void gradient(const float* of_y, const float* of_dy, float* dx,
                                                         const Lines lines) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team(lines, scratch);
  Kept<Team> y(of_y), dy(of_dy);
  BlockedSum terms;
  team.each(
      [&](int slot, std::int64_t at, std::int64_t) { terms.add(Function::term(y.read(slot, at), dy.read(slot, at))); });
  const float sum = team.reduce(terms.value(), Add());
  team.each([&](int slot, std::int64_t at, std::int64_t) {
    dx[at] = Function::finish(y.again(slot, at), dy.again(slot, at), sum);
  });
}

// Calls body(team, lines) with those of the softmax's axis.
template <class Body>
void with_lines(const KernelArgs& args, const Body& body) {
  const int axis = args.problem.as<SoftmaxParams>().axis;
  with_team(lines_of(args.in[0].shape(), axis, axis), body);
}

template <class Function>
void run(const char* name, const KernelArgs& args) {
  with_lines(args, [&](auto type, const Lines& lines) {
    using Team = typename decltype(type)::type;
    launch(name, normalise<Team, Function>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), args.out[0].as<float>(), lines);
  });
}

template <class Function>
void run_gradient(const char* name, const KernelArgs& args) {
  with_lines(args, [&](auto type, const Lines& lines) {
    using Team = typename decltype(type)::type;
    launch(name, gradient<Team, Function>, {static_cast<unsigned>(Team::blocks(lines)), kTeamThreads}, args,
           args.in[0].as<float>(), args.in[1].as<float>(), args.out[0].as<float>(), lines);
  });
}

void run_softmax(const KernelArgs& args) { run<Normal>(kSoftmax, args); }
void run_log_softmax(const KernelArgs& args) { run<Logarithm>(kLogSoftmax, args); }
void run_softmax_gradient(const KernelArgs& args) { run_gradient<NormalGradient>(kGradient, args); }
void run_log_softmax_gradient(const KernelArgs& args) { run_gradient<LogarithmGradient>(kLogGradient, args); }

constexpr KernelInfo kSoftmaxRows[] = {{.name = kSoftmax, .device = Device::Cuda, .run = run_softmax}};
constexpr KernelInfo kLogSoftmaxRows[] = {{.name = kLogSoftmax, .device = Device::Cuda, .run = run_log_softmax}};
constexpr KernelInfo kGradientRows[] = {{.name = kGradient, .device = Device::Cuda, .run = run_softmax_gradient}};
constexpr KernelInfo kLogGradientRows[] = {
    {.name = kLogGradient, .device = Device::Cuda, .run = run_log_softmax_gradient}};
constexpr OpRows kOps[] = {{"softmax", kSoftmaxRows},
                           {"log_softmax", kLogSoftmaxRows},
                           {"softmax_gradient", kGradientRows},
                           {"log_softmax_gradient", kLogGradientRows}};

}  // namespace

std::span<const OpRows> softmax_rows() { return kOps; }

}  // namespace fastcnn::cuda

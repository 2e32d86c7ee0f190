// Computes   conv2d_transpose as one product for each phase of the stride (PhaseAxis): the pixels of x that a phase's
//            windows see by the taps that meet them, its sums being every s-th pixel of y.
// Layout     x and y NHWC, in place. w (height, width, filters, channels) is turned into the kernel of a convolution of
//            stride 1 first (conv2d_adjoint_kernel), in the workspace: filters that lie together are what the products
//            read fastest. The batch of a product are groups, and phases of as many pixels and taps.
// Threads    and tiles: gemm/. Functors find a window's pixels, a tap of the phase, a pixel of the phase in y.
// Why        no product with the zeros between the pixels (1 - 1/s^2 of all), and each output is one sum: no atomics.
//            Where s divides the sizes, all phases are one launch, that fills a device with few pixels, too.
// Bounds     multiply-adds; with few channels the memory that y is written to.
// Needs      axes of less than 2^30 pixels.
// Accuracy   that of a sequential sum in float32.
// Source     W. Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016.
#include "ops/conv2d_transpose/conv2d_transpose.h"

#include <vector>

#include "core/launch.h"
#include "gemm/ffma.cuh"
#include "gemm/operand.cuh"
#include "ops/conv2d_adjoint_kernel.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

using gemm::Lie;

// Phases along one axis that have as many pixels and taps, and how they differ.
struct PhasesOfAxis {
  static constexpr int kMost = 8;
  WindowAxis window;  // its `before` is in the table
  std::int64_t pixels, tap_step;
  int count = 0;
  int first[kMost] = {};      // pixel of y
  int first_tap[kMost] = {};  // of the turned kernel
  int before[kMost] = {};

  bool add(const PhaseAxis& phase, std::int64_t taps) {
    if (count == kMost || (count > 0 && (phase.count != pixels || phase.window.size != window.size))) return false;
    window = phase.window;
    pixels = phase.count;
    tap_step = phase.tap_step;
    first[count] = static_cast<int>(phase.first);
    first_tap[count] = static_cast<int>(taps - 1 - phase.last_tap);
    before[count] = static_cast<int>(phase.window.before);
    ++count;
    return true;
  }
};

// All of an axis, those that lie side by side together.
std::vector<PhasesOfAxis> phases_of(const WindowAxis& axis, std::int64_t outputs) {
  std::vector<PhasesOfAxis> all;
  for (std::int64_t i = 0; i < min_i64(axis.stride, outputs); ++i) {
    const PhaseAxis phase(axis, i, outputs);
    if (all.empty() || !all.back().add(phase, axis.size)) all.emplace_back().add(phase, axis.size);
  }
  return all;
}

// What the functors of a launch share: its batch are phases by groups.
struct Phases {
  PhasesOfAxis h, w;
  Divisor by_groups, by_count_w;

  struct Place {
    int group, h, w;
  };
  __device__ __forceinline__ Place place(std::int64_t batch) const {
    Place p;
    p.h = by_count_w.divide(by_groups.divide(static_cast<int>(batch), &p.group), &p.w);
    return p;
  }
};

// The windows of each phase.
template <Lie lie>
struct PhaseWindows : gemm::Windows<lie> {
  using typename gemm::Windows<lie>::Line;
  Phases phases;

  __device__ __forceinline__ Line line(std::int64_t batch, std::int64_t index) const {
    const auto [group, h, w] = phases.place(batch);
    const int up = phases.h.before[h], left = phases.w.before[w];
    Line line = gemm::Windows<lie>::line(group, index);
    line.at -= (up * this->width + left) * this->channels;
    line.h -= up, line.w -= left;
    return line;
  }
};

// The turned kernel's taps that a phase meets: a line is a filter, a term (a, b, c) tap (a, b) of the phase's window
// and one channel of a group.
template <Lie lie>
struct PhaseTaps {
  static constexpr Lie kLie = lie;
  using Line = const float*;
  using Term = std::int64_t;

  const float* data;
  std::int64_t filters, group_filters, tap, row;  // from one to the next
  std::int64_t step_h, step_w;                    // the same along the phase's window
  Divisor by_channels, by_taps_w;
  Phases phases;

  PhaseTaps(const float* turned, const Conv2dTransposeParams& p, const Phases& which)
      : data(turned),
        filters(p.filters),
        group_filters(p.group_filters()),
        tap(p.group_channels() * p.filters),
        row(p.window.w.size * tap),
        step_h(which.h.tap_step * row),
        step_w(which.w.tap_step * tap),
        by_channels(p.group_channels()),
        by_taps_w(which.w.window.size),
        phases(which) {}

  __device__ __forceinline__ Line line(std::int64_t batch, std::int64_t index) const {
    const auto [group, h, w] = phases.place(batch);
    return data + phases.h.first_tap[h] * row + phases.w.first_tap[w] * tap + group * group_filters + index;
  }
  __device__ __forceinline__ Term term(std::int64_t index) const {
    int c, b;
    const int a = by_taps_w.divide(by_channels.divide(static_cast<int>(index), &c), &b);
    return a * step_h + b * step_w + c * filters;
  }
  __device__ __forceinline__ bool find(const Line& line, Term term, const float** at) const {
    *at = line + term;
    return true;
  }
};

// A phase's pixels, finished in their places in y.
template <bool wide>
struct PhasePixels {
  static constexpr bool kWide = wide;

  gemm::Finish<wide> finish;
  std::int64_t out_h, out_w, stride_h, stride_w;
  Divisor by_pixels_h, by_pixels_w;
  Phases phases;

  PhasePixels(const gemm::Finish<wide>& of_pixel, const Conv2dTransposeParams& p, const Phases& which)
      : finish(of_pixel),
        out_h(p.out_h),
        out_w(p.out_w),
        stride_h(p.window.h.stride),
        stride_w(p.window.w.stride),
        by_pixels_h(which.h.pixels),
        by_pixels_w(which.w.pixels),
        phases(which) {}

  template <int count>
  __device__ __forceinline__ void store(std::int64_t batch, std::int64_t row, std::int64_t column,
                                        float (&sum)[count]) const {
    const auto [group, h, w] = phases.place(batch);
    std::int64_t i, j;
    const std::int64_t n = by_pixels_h.divide(by_pixels_w.divide(row, &j), &i);
    const std::int64_t above = n * out_h + phases.h.first[h] + i * stride_h;
    finish.store(group, above * out_w + phases.w.first[w] + j * stride_w, column, sum);
  }
};

constexpr const char* kName = "conv2d_transpose_f32_cuda";

template <Lie of_x, Lie of_w, bool wide>
void multiply(const KernelArgs& args, const EpilogueOperands& operands, const PhasesOfAxis& h, const PhasesOfAxis& w) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  const Shape& x = args.in[0].shape();
  const Phases phases{h, w, Divisor(p.groups), Divisor(w.count)};
  Window2d window{h.window, w.window};
  window.h.before = window.w.before = 0;
  const gemm::Sizes sizes{.batch = h.count * w.count * p.groups,
                          .rows = x[0] * h.pixels * w.pixels,
                          .columns = p.group_filters(),
                          .depth = h.window.size * w.window.size * p.group_channels()};
  const PhaseWindows<of_x> windows{{args.in[0].as<float>(), x, window, h.pixels, w.pixels, p.groups}, phases};
  const gemm::Finish<wide> finish(p.epilogue, operands, args.out[0].as<float>(), p.filters, p.group_filters(),
                                  p.group_filters());
  gemm::launch_ffma(kName, args, sizes, {}, windows,
                    PhaseTaps<of_w>(static_cast<const float*>(args.workspace), p, phases),
                    PhasePixels<wide>(finish, p, phases));
}

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  turn_kernel(kName, args, p.window.h.size * p.window.w.size, p.group_filters(), p.group_channels(), p.groups,
              args.in[1].data, args.workspace);
  const EpilogueOperands operands(p.epilogue, args, 2);
  const bool channels = p.group_channels() % 4 == 0 && gemm::aligned(args.in[0].data);
  const bool filters = p.group_filters() % 4 == 0 && gemm::aligned(args.out[0].data) && gemm::aligned(operands.bias) &&
                       gemm::aligned(operands.residual);
  const auto product = !channels ? multiply<Lie::Apart, Lie::Apart, false>
                       : filters ? multiply<Lie::Terms, Lie::Lines, true>
                                 : multiply<Lie::Terms, Lie::Apart, false>;
  const auto across = phases_of(p.window.w, p.out_w);
  for (const PhasesOfAxis& h : phases_of(p.window.h, p.out_h))
    for (const PhasesOfAxis& w : across) product(args, operands, h, w);
}

std::int64_t workspace(const Problem& problem) { return problem.inputs[1].bytes(); }

const char* declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  return gemm::Windows<Lie::Apart>::fits(problem.outputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "counts pixels in 30 bits";
}

constexpr KernelInfo kRows[] = {
    {.name = kName, .device = Device::Cuda, .run = run, .declines = declines, .workspace = workspace},
};
constexpr OpRows kOps[] = {{"conv2d_transpose", kRows}};

}  // namespace

std::span<const OpRows> conv2d_transpose_rows() { return kOps; }

}  // namespace fastcnn::cuda

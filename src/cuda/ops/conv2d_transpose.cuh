// conv2d_transpose as products: for each phase of the stride (PhaseAxis) rows are its pixels, columns the filters of a
// group, the sum goes over the taps that meet them. Functors find a window's pixels, a tap of the phase, a pixel of the
// phase in y. In the batch are groups, and phases of as many pixels and taps.
#pragma once

#include <vector>

#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/conv2d_adjoint_kernel.h"
#include "ops/conv2d_transpose/conv2d_transpose.h"

namespace fastcnn::cuda {

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
inline std::vector<PhasesOfAxis> phases_of(const WindowAxis& axis, std::int64_t outputs) {
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

inline gemm::Sizes sizes_of(const Conv2dTransposeParams& p, std::int64_t pictures, const PhasesOfAxis& h,
                            const PhasesOfAxis& w) {
  return {.batch = h.count * w.count * p.groups,
          .rows = pictures * h.pixels * w.pixels,
          .columns = p.group_filters(),
          .depth = h.window.size * w.window.size * p.group_channels()};
}

// The turned kernel, and sums of parts.
inline std::int64_t turned_floats(const Problem& problem) { return round_up(problem.inputs[1].shape.size(), 4); }
inline std::int64_t conv2d_transpose_workspace(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  const auto down = phases_of(p.window.h, p.out_h), across = phases_of(p.window.w, p.out_w);
  std::int64_t most = 0;
  for (const PhasesOfAxis& h : down)
    for (const PhasesOfAxis& w : across)
      most = max_i64(most, gemm::split_workspace(sizes_of(p, problem.inputs[0].shape[0], h, w)));
  return turned_floats(problem) * static_cast<std::int64_t>(sizeof(float)) + most;
}

inline const char* conv2d_transpose_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  return gemm::Windows<Lie::Apart>::fits(problem.outputs[0].shape, p.window, p.group_channels())
             ? nullptr
             : "an axis of 2^30 pixels or a window of 2^31 terms";
}

// Calls multiply(sizes, windows, taps, pixels, sums) for the phases, with operands read in vectors or float by float.
template <bool wide, class Multiply>
void multiply_phases(const KernelArgs& args, const Multiply& multiply) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  const Shape& x = args.in[0].shape();
  auto* const turned = static_cast<float*>(args.workspace);
  const gemm::Finish<wide> finish(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.filters,
                                  p.group_filters(), p.group_filters());
  const auto down = phases_of(p.window.h, p.out_h), across = phases_of(p.window.w, p.out_w);
  for (const PhasesOfAxis& h : down)
    for (const PhasesOfAxis& w : across) {
      const Phases phases{h, w, Divisor(p.groups), Divisor(w.count)};
      Window2d window{h.window, w.window};
      window.h.before = window.w.before = 0;
      const PhaseWindows<wide ? Lie::Terms : Lie::Apart> windows{
          {args.in[0].as<float>(), x, window, h.pixels, w.pixels, p.groups}, phases};
      multiply(sizes_of(p, x[0], h, w), windows, PhaseTaps<wide ? Lie::Lines : Lie::Apart>(turned, p, phases),
               PhasePixels<wide>(finish, p, phases), turned + turned_floats(args.problem));
    }
}

template <class Multiply>
void convolve_transposed(const char* name, const KernelArgs& args, const Multiply& multiply) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  turn_kernel(name, args, p.window.h.size * p.window.w.size, p.group_filters(), p.group_channels(), p.groups,
              args.in[1].data, args.workspace);
  const EpilogueOperands operands(p.epilogue, args, 2);
  const bool vectors = p.group_channels() % 4 == 0 && p.group_filters() % 4 == 0 && gemm::aligned(args.in[0].data) &&
                       gemm::aligned(args.out[0].data) && gemm::aligned(operands.bias) &&
                       gemm::aligned(operands.residual);
  if (vectors)
    multiply_phases<true>(args, multiply);
  else
    multiply_phases<false>(args, multiply);
}

// conv2d_transpose_mma.cu: by tensor cores, `parts` of bfloat16 a factor.
template <int parts>
struct Conv2dTransposeMma {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
};

}  // namespace fastcnn::cuda

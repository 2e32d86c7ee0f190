// Operands and results of the engine (product.h) that several rooms share.
#pragma once

#include "core/activate.cuh"
#include "core/divide.cuh"
#include "core/window.h"
#include "gemm/product.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::cuda::gemm {

// Whether a float4 may be read at every fourth element of arrays that begin here.
inline bool aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }

// Matrices of any strides, in floats; the stride of what lies together is 1 where kLie says that something does.
template <Lie lie>
struct Matrix {
  static constexpr Lie kLie = lie;
  using Line = const float*;
  using Term = std::int64_t;

  const float* data;
  std::int64_t line_stride, term_stride, batch_stride = 0;

  __device__ __forceinline__ Line line(std::int64_t batch, std::int64_t index) const {
    return data + batch * batch_stride + (lie == Lie::Lines ? index : index * line_stride);
  }
  __device__ __forceinline__ Term term(std::int64_t index) const {
    return lie == Lie::Terms ? index : index * term_stride;
  }
  __device__ __forceinline__ bool find(const Line& line, Term term, const float** at) const {
    *at = line + term;
    return true;
  }
};

// An NHWC picture seen through a window. A line is one place of the window, a pixel (n, i, j) of the result; a term is
// (a, b, c), a tap of the window and one of `taken` channels; the batch are groups of so many channels. Lie::Terms asks
// for taken % 4 == 0 and channels % 4 == 0. An axis has less than 2^30 pixels, a window less than 2^31 terms (fits()).
template <Lie lie>
struct Windows {
  static constexpr Lie kLie = lie;
  struct Line {
    std::int64_t at;  // of the window's first pixel, wherever that is
    int h, w;
  };
  using Term = Line;

  const float* data;
  std::int64_t height, width, channels, taken;
  int stride_h, stride_w, dilation_h, dilation_w, before_h, before_w;
  Divisor by_out_h, by_out_w, by_taken, by_taps_w;

  Windows(const float* x, const Shape& shape, const Window2d& window, std::int64_t out_h, std::int64_t out_w,
          std::int64_t groups)
      : data(x),
        height(shape[1]),
        width(shape[2]),
        channels(shape[3]),
        taken(shape[3] / groups),
        stride_h(static_cast<int>(window.h.stride)),
        stride_w(static_cast<int>(window.w.stride)),
        dilation_h(static_cast<int>(window.h.dilation)),
        dilation_w(static_cast<int>(window.w.dilation)),
        before_h(static_cast<int>(window.h.before)),
        before_w(static_cast<int>(window.w.before)),
        by_out_h(out_h),
        by_out_w(out_w),
        by_taken(taken),
        by_taps_w(window.w.size) {}

  static bool fits(const Shape& shape, const Window2d& window, std::int64_t taken) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    const auto fit = [](const WindowAxis& axis, std::int64_t pixels) {
      return pixels < kMost && axis.extent() < kMost && axis.stride < kMost && axis.before < kMost &&
             axis.before > -kMost && axis.after < kMost;
    };
    return fit(window.h, shape[1]) && fit(window.w, shape[2]) && window.h.size * window.w.size * taken < 2 * kMost;
  }

  __device__ __forceinline__ Line line(std::int64_t batch, std::int64_t index) const {
    std::int64_t i, j;
    const std::int64_t n = by_out_h.divide(by_out_w.divide(index, &j), &i);
    const std::int64_t h = i * stride_h - before_h, w = j * stride_w - before_w;
    return {((n * height + h) * width + w) * channels + batch * taken, static_cast<int>(h), static_cast<int>(w)};
  }
  __device__ __forceinline__ Term term(std::int64_t index) const {
    int c, b;
    const int a = by_taps_w.divide(by_taken.divide(static_cast<int>(index), &c), &b);
    const int h = a * dilation_h, w = b * dilation_w;
    return {(h * width + w) * channels + c, h, w};
  }
  __device__ __forceinline__ bool find(const Line& line, const Term& term, const float** at) const {
    *at = data + (line.at + term.at);
    return static_cast<unsigned>(line.h + term.h) < static_cast<unsigned>(height) &&
           static_cast<unsigned>(line.w + term.w) < static_cast<unsigned>(width);
  }
};

// What is a line for F is a term here, and the other way round. F's batch is this one's, its lines know nothing of it:
// `batch_stride` floats are added for each.
template <class F>
struct Turned {
  static constexpr Lie kLie = F::kLie == Lie::Terms ? Lie::Lines : F::kLie == Lie::Lines ? Lie::Terms : Lie::Apart;
  struct Line {
    typename F::Term term;
    std::int64_t batch_at;
  };
  using Term = typename F::Line;

  F of;
  std::int64_t batch_stride = 0;
  const float* data;

  Turned(const F& f, std::int64_t stride) : of(f), batch_stride(stride), data(f.data) {}

  __device__ __forceinline__ Line line(std::int64_t batch, std::int64_t index) const {
    return {of.term(index), batch * batch_stride};
  }
  __device__ __forceinline__ Term term(std::int64_t index) const { return of.line(0, index); }
  __device__ __forceinline__ bool find(const Line& line, const Term& term, const float** at) const {
    const bool inside = of.find(term, line.term, at);
    *at += line.batch_at;
    return inside;
  }
};

// y = act(sum + bias + residual), y and residual being matrices whose rows lie `pitch` floats apart. The batch are
// `batch_stride` floats apart, and `batch_bias` in the bias: groups of channels, or matrices of a stack.
template <bool wide>
struct Finish {
  static constexpr bool kWide = wide;

  float* y;
  const float *bias, *residual;  // or nullptr
  std::int64_t pitch, batch_stride = 0, batch_bias = 0;
  Activation activation;
  float alpha;

  Finish(const Epilogue& e, const EpilogueOperands& operands, float* to, std::int64_t row_pitch,
         std::int64_t stride_of_batch, std::int64_t bias_of_batch)
      : y(to),
        bias(operands.bias),
        residual(operands.residual),
        pitch(row_pitch),
        batch_stride(stride_of_batch),
        batch_bias(bias_of_batch),
        activation(e.activation),
        alpha(e.alpha) {}

  bool vectors() const {
    return pitch % 4 == 0 && batch_stride % 4 == 0 && batch_bias % 4 == 0 && aligned(y) && aligned(bias) &&
           aligned(residual);
  }

  template <int count>
  __device__ __forceinline__ void store(std::int64_t batch, std::int64_t row, std::int64_t column,
                                        float (&sum)[count]) const {
    const std::int64_t at = batch * batch_stride + row * pitch + column;
    float more[count];
    if (bias != nullptr) {
      load(bias + batch * batch_bias + column, more);
#pragma unroll
      for (int i = 0; i < count; ++i) sum[i] += more[i];
    }
    if (residual != nullptr) {
      load(residual + at, more);
#pragma unroll
      for (int i = 0; i < count; ++i) sum[i] += more[i];
    }
#pragma unroll
    for (int i = 0; i < count; ++i) sum[i] = activate(activation, sum[i], alpha);
    gemm::store(y + at, sum);
  }
};

}  // namespace fastcnn::cuda::gemm

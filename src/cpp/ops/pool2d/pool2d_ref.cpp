// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <limits>

#include "ops/pool2d/pool2d.h"

namespace fastcnn::ref {
namespace {

// Calls visit(n, i, j, c, span_h, span_w) for every output.
template <class SpanH, class SpanW, class Visit>
void for_each_output(const Shape& y, const SpanH& span_h, const SpanW& span_w, const Visit& visit) {
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t c = 0; c < y[3]; ++c) visit(n, i, j, c, span_h(i), span_w(j));
}

float at(const Tensor& t, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
  const Shape& s = t.shape();
  return t.as<float>()[((n * s[1] + h) * s[2] + w) * s[3] + c];
}

template <class SpanH, class SpanW>
void average(const KernelArgs& args, const SpanH& span_h, const SpanW& span_w) {
  float* y = args.out[0].as<float>();
  for_each_output(args.out[0].shape(), span_h, span_w, [&](auto n, auto, auto, auto c, PoolSpan h, PoolSpan w) {
    float sum = 0;
    for (std::int64_t a = 0; a < h.count; ++a)
      for (std::int64_t b = 0; b < w.count; ++b)
        sum += at(args.in[0], n, h.first + a * h.step, w.first + b * w.step, c);
    const std::int64_t counted = h.counted * w.counted;
    *y++ = counted > 0 ? sum / static_cast<float>(counted) : 0.0f;
  });
}

}  // namespace

void max_pool2d(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.in[0].shape();
  float* y = args.out[0].as<float>();
  for_each_output(
      args.out[0].shape(), [&](std::int64_t i) { return window_span(p.window.h, false, i, x[1]); },
      [&](std::int64_t j) { return window_span(p.window.w, false, j, x[2]); },
      [&](auto n, auto, auto, auto c, PoolSpan h, PoolSpan w) {
        float best = -std::numeric_limits<float>::infinity();
        for (std::int64_t a = 0; a < h.count; ++a)
          for (std::int64_t b = 0; b < w.count; ++b) {
            const float v = at(args.in[0], n, h.first + a * h.step, w.first + b * w.step, c);
            if (v > best || v != v) best = v;
            if (best != best) break;
          }
        *y++ = best;
      });
}

// By rows of windows, the channels innermost: a channel's best so far is found by its index.
void max_pool2d_indices(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t channels = y[3];
  parallel_ranges(y[0] * y[1], 1, [&](std::int64_t row, std::int64_t) {
    const float* picture = args.in[0].as<float>() + row / y[1] * x[1] * x[2] * channels;
    const PoolSpan h = window_span(p.window.h, false, row % y[1], x[1]);
    for (std::int64_t j = 0; j < y[2]; ++j) {
      const PoolSpan w = window_span(p.window.w, false, j, x[2]);
      std::int64_t* best = args.out[0].as<std::int64_t>() + (row * y[2] + j) * channels;
      for (std::int64_t c = 0; c < channels; ++c) best[c] = -1;
      for (std::int64_t a = 0; a < h.count; ++a)
        for (std::int64_t b = 0; b < w.count; ++b) {
          const std::int64_t pixel = (h.first + a * h.step) * x[2] + w.first + b * w.step;
          for (std::int64_t c = 0; c < channels; ++c) {
            const float value = picture[pixel * channels + c];
            const float most = best[c] < 0 ? value : picture[best[c] * channels + c];
            if (best[c] < 0 || value > most || (value != value && most == most)) best[c] = pixel;
          }
        }
    }
  });
}

void avg_pool2d(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.in[0].shape();
  average(
      args, [&](std::int64_t i) { return window_span(p.window.h, p.count_include_pad, i, x[1]); },
      [&](std::int64_t j) { return window_span(p.window.w, p.count_include_pad, j, x[2]); });
}

void adaptive_avg_pool2d(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  average(
      args, [&](std::int64_t i) { return adaptive_span(i, x[1], y[1]); },
      [&](std::int64_t j) { return adaptive_span(j, x[2], y[2]); });
}

}  // namespace fastcnn::ref

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

void max_pool2d_indices(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.in[0].shape();
  std::int64_t* y = args.out[0].as<std::int64_t>();
  for_each_output(
      args.out[0].shape(), [&](std::int64_t i) { return window_span(p.window.h, false, i, x[1]); },
      [&](std::int64_t j) { return window_span(p.window.w, false, j, x[2]); },
      [&](auto n, auto, auto, auto c, PoolSpan h, PoolSpan w) {
        std::int64_t best = -1;
        float most = 0;
        for (std::int64_t a = 0; a < h.count; ++a)
          for (std::int64_t b = 0; b < w.count; ++b) {
            const std::int64_t row = h.first + a * h.step, column = w.first + b * w.step;
            const float v = at(args.in[0], n, row, column, c);
            if (best >= 0 && !(v > most) && !(v != v && most == most)) continue;
            most = v;
            best = row * x[2] + column;
          }
        *y++ = best;
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

// Plain loops over the outputs: each gives its share to the pixels of its window.
#include "ops/pool2d/pool2d_gradient.h"

namespace fastcnn::ref {
namespace {

// Calls visit(output, pixel(a, b), span_h, span_w) for every output; pixel gives the flat index of a window's pixel.
template <class SpanH, class SpanW, class Visit>
void for_each_output(const Shape& x, const Shape& y, const SpanH& span_h, const SpanW& span_w, const Visit& visit) {
  std::int64_t out = 0;
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t c = 0; c < y[3]; ++c) {
          const PoolSpan h = span_h(i), w = span_w(j);
          const auto pixel = [&](std::int64_t a, std::int64_t b) {
            return ((n * x[1] + h.first + a * h.step) * x[2] + w.first + b * w.step) * x[3] + c;
          };
          visit(out++, pixel, h, w);
        }
}

float* zeroed(const Tensor& t) {
  for (std::int64_t i = 0; i < t.shape().size(); ++i) t.as<float>()[i] = 0.0f;
  return t.as<float>();
}

template <class SpanH, class SpanW>
void average(const KernelArgs& args, const SpanH& span_h, const SpanW& span_w) {
  const float* dy = args.in[0].as<float>();
  float* dx = zeroed(args.out[0]);
  for_each_output(args.out[0].shape(), args.in[0].shape(), span_h, span_w,
                  [&](std::int64_t out, const auto& pixel, PoolSpan h, PoolSpan w) {
                    const float count = static_cast<float>(h.counted * w.counted);
                    for (std::int64_t a = 0; a < h.count; ++a)
                      for (std::int64_t b = 0; b < w.count; ++b) dx[pixel(a, b)] += dy[out] / count;
                  });
}

}  // namespace

void max_pool2d_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& s = args.in[0].shape();
  const float *x = args.in[0].as<float>(), *dy = args.in[2].as<float>();
  float* dx = zeroed(args.out[0]);
  for_each_output(
      s, args.in[1].shape(), [&](std::int64_t i) { return window_span(p.window.h, false, i, s[1]); },
      [&](std::int64_t j) { return window_span(p.window.w, false, j, s[2]); },
      [&](std::int64_t out, const auto& pixel, PoolSpan h, PoolSpan w) {
        std::int64_t best = -1;
        for (std::int64_t a = 0; a < h.count; ++a)
          for (std::int64_t b = 0; b < w.count; ++b) {
            const std::int64_t at = pixel(a, b);
            const bool is_nan = x[at] != x[at];
            if (best < 0 || x[at] > x[best] || (is_nan && x[best] == x[best])) best = at;
          }
        if (best >= 0) dx[best] += dy[out];
      });
}

void avg_pool2d_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.out[0].shape();
  average(
      args, [&](std::int64_t i) { return window_span(p.window.h, p.count_include_pad, i, x[1]); },
      [&](std::int64_t j) { return window_span(p.window.w, p.count_include_pad, j, x[2]); });
}

void adaptive_avg_pool2d_gradient(const KernelArgs& args) {
  const Shape &x = args.out[0].shape(), &y = args.in[0].shape();
  average(
      args, [&](std::int64_t i) { return adaptive_span(i, x[1], y[1]); },
      [&](std::int64_t j) { return adaptive_span(j, x[2], y[2]); });
}

}  // namespace fastcnn::ref

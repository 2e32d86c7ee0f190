// The gradient of what makes each output pixel a weighted sum of input pixels (pooling, resizing): every input pixel
// gathers its share of the outputs that it went into. Each is written by one task, so sums have one order.
#pragma once

#include "ops/pixel_range.h"
#include "ops/problem.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

// outputs_h(p) and outputs_w(q) give the windows that may hold a pixel, share(i, j, p, q) what it gets of one (0:
// none).
template <class OutputsH, class OutputsW, class Share>
FC_INLINE void gather_pixels(const KernelArgs& args, const OutputsH& outputs_h, const OutputsW& outputs_w,
                             const Share& share) {
  const Shape &t = args.in[0].shape(), &s = args.out[0].shape();
  const float* dy = args.in[0].as<float>();
  float* dx = args.out[0].as<float>();
  const std::int64_t channels = s[3];
  constexpr std::int64_t kTask = 16384;  // elements
  const auto gather_pixel = [&](const float* picture, float* pixel, std::int64_t p, std::int64_t q) {
    const PixelRange h = outputs_h(p), w = outputs_w(q);
    bool is_first = true;
    for (std::int64_t i = h.first; i <= h.last; ++i)
      for (std::int64_t j = w.first; j <= w.last; ++j) {
        const float part = share(i, j, p, q);
        if (part == 0.0f) continue;
        const float* from = picture + (i * t[2] + j) * channels;
        each_register(channels, [&](std::int64_t c, auto lanes) {
          const F32 v = load(from + c, lanes) * set(part);
          store(pixel + c, is_first ? v : load(pixel + c, lanes) + v, lanes);
        });
        is_first = false;
      }
    if (is_first) each_register(channels, [&](std::int64_t c, auto lanes) { store(pixel + c, zero(), lanes); });
  };
  parallel_ranges(
      s[0] * s[1], max_i64(1, kTask / max_i64(1, s[2] * channels)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
          for (std::int64_t q = 0; q < s[2]; ++q)
            gather_pixel(dy + row / s[1] * t[1] * t[2] * channels, dx + (row * s[2] + q) * channels, row % s[1], q);
      });
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

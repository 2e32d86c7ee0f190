#include "ops/roi_align/roi_align.h"

#include <cstring>
#include <limits>

namespace fastcnn::ref {
void roi_align(const KernelArgs& args) {
  const auto& p = args.problem.as<RoiAlignParams>();
  const std::int64_t channels = args.out[0].shape()[3], outputs = p.height * p.width;
  if (channels == 0) return;
  parallel_ranges(
      args.out[0].shape()[0] * outputs, max_i64(1, 2048 / channels), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin; at < end; ++at) {
          const std::int64_t k = at / outputs, i = at % outputs / p.width, j = at % p.width;
          float* y = args.out[0].as<float>() + at * channels;
          const RoiSamples box = roi_samples(p, args.in[1].as<float>() + 4 * k, args.in[2].as<std::int64_t>()[k]);
          const std::int64_t count = box.valid ? box.rows.count * box.columns.count : 0;
          for (std::int64_t c = 0; c < channels; ++c)
            y[c] = p.max && count > 0 ? -std::numeric_limits<float>::infinity() : 0.0f;
          if (count == 0) continue;
          const float* picture =
              args.in[0].as<float>() + args.in[2].as<std::int64_t>()[k] * p.input_h * p.input_w * channels;
          for (std::int64_t r = 0; r < box.rows.count; ++r)
            for (std::int64_t s = 0; s < box.columns.count; ++s) {
              const RoiTap v = roi_tap(box.rows, i, r, p.input_h), u = roi_tap(box.columns, j, s, p.input_w);
              const bool outside = v.first < 0 || u.first < 0;
              if (outside && !p.max) continue;
              const auto pixel = [&](std::int64_t row, std::int64_t column) {
                return picture + (row * p.input_w + column) * channels;
              };
              const float *a = pixel(max_i64(0, v.first), max_i64(0, u.first)),
                          *b = pixel(max_i64(0, v.first), max_i64(0, u.second)),
                          *d = pixel(max_i64(0, v.second), max_i64(0, u.first)),
                          *e = pixel(max_i64(0, v.second), max_i64(0, u.second));
              for (std::int64_t c = 0; c < channels; ++c) {
                const float parts[] = {(1 - v.share) * (1 - u.share) * a[c], (1 - v.share) * u.share * b[c],
                                       v.share * (1 - u.share) * d[c], v.share * u.share * e[c]};
                if (!p.max) y[c] += (parts[0] + parts[1]) + (parts[2] + parts[3]);
                for (const float part : parts)
                  if (const float value = outside ? 0.0f : part; p.max && (value > y[c] || value != value))
                    y[c] = value;
              }
            }
          if (!p.max)
            for (std::int64_t c = 0; c < channels; ++c) y[c] /= static_cast<float>(count);
        }
      });
}

void roi_align_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<RoiAlignParams>();
  const std::int64_t boxes = args.in[1].shape()[0], channels = args.out[0].shape()[3];
  const std::int64_t picture_size = p.input_h * p.input_w * channels;
  parallel_ranges(p.pictures, 1, [&](std::int64_t n, std::int64_t) {
    float* dx = args.out[0].as<float>() + n * picture_size;
    std::memset(dx, 0, static_cast<std::size_t>(picture_size) * sizeof(float));
    for (std::int64_t k = 0; k < boxes; ++k) {
      if (args.in[2].as<std::int64_t>()[k] != n) continue;
      const RoiSamples box = roi_samples(p, args.in[1].as<float>() + 4 * k, args.in[2].as<std::int64_t>()[k]);
      if (!box.valid) continue;
      const float count = static_cast<float>(box.rows.count * box.columns.count);
      for (std::int64_t i = 0; i < p.height; ++i)
        for (std::int64_t j = 0; j < p.width; ++j) {
          const float* dy = args.in[0].as<float>() + ((k * p.height + i) * p.width + j) * channels;
          for (std::int64_t r = 0; r < box.rows.count; ++r)
            for (std::int64_t s = 0; s < box.columns.count; ++s) {
              const RoiTap v = roi_tap(box.rows, i, r, p.input_h), u = roi_tap(box.columns, j, s, p.input_w);
              if (v.first < 0 || u.first < 0) continue;
              const auto give = [&](std::int64_t row, std::int64_t column, float share) {
                float* to = dx + (row * p.input_w + column) * channels;
                for (std::int64_t c = 0; c < channels; ++c) to[c] += share / count * dy[c];
              };
              give(v.first, u.first, (1 - v.share) * (1 - u.share));
              give(v.first, u.second, (1 - v.share) * u.share);
              give(v.second, u.first, v.share * (1 - u.share));
              give(v.second, u.second, v.share * u.share);
            }
        }
    }
  });
}

}  // namespace fastcnn::ref

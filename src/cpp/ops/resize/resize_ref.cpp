// Plain loops that are obviously right: what the other bilinear kernels are compared with.
#include "ops/resize/resize.h"

namespace fastcnn::ref {

void resize_bilinear(const KernelArgs& args) {
  const auto& p = args.problem.as<ResizeParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  float* out = args.out[0].as<float>();
  for (std::int64_t n = 0; n < y[0]; ++n) {
    const float* picture = args.in[0].as<float>() + n * x[1] * x[2] * x[3];
    const auto at = [&](std::int64_t h, std::int64_t w, std::int64_t c) { return picture[(h * x[2] + w) * x[3] + c]; };
    for (std::int64_t i = 0; i < y[1]; ++i) {
      const BilinearTap h = bilinear_tap(p.coordinate, i, x[1], y[1]);
      for (std::int64_t j = 0; j < y[2]; ++j) {
        const BilinearTap w = bilinear_tap(p.coordinate, j, x[2], y[2]);
        for (std::int64_t c = 0; c < y[3]; ++c) {
          const float top = (1 - w.share) * at(h.first, w.first, c) + w.share * at(h.first, w.second, c);
          const float bottom = (1 - w.share) * at(h.second, w.first, c) + w.share * at(h.second, w.second, c);
          *out++ = (1 - h.share) * top + h.share * bottom;
        }
      }
    }
  }
}

void resize_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ResizeParams>();
  const Shape &x = args.out[0].shape(), &y = args.in[0].shape();
  const float* dy = args.in[0].as<float>();
  for (std::int64_t i = 0; i < x.size(); ++i) args.out[0].as<float>()[i] = 0.0f;
  for (std::int64_t n = 0; n < y[0]; ++n) {
    float* picture = args.out[0].as<float>() + n * x[1] * x[2] * x[3];
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j) {
        const BilinearTap h = resize_tap(p, i, x[1], y[1]), w = resize_tap(p, j, x[2], y[2]);
        const auto give = [&](std::int64_t row, std::int64_t column, float share) {
          float* pixel = picture + (row * x[2] + column) * x[3];
          const float* from = dy + ((n * y[1] + i) * y[2] + j) * y[3];
          for (std::int64_t c = 0; share != 0 && c < y[3]; ++c) pixel[c] += share * from[c];
        };
        give(h.first, w.first, (1 - h.share) * (1 - w.share));
        give(h.first, w.second, (1 - h.share) * w.share);
        give(h.second, w.first, h.share * (1 - w.share));
        give(h.second, w.second, h.share * w.share);
      }
  }
}

}  // namespace fastcnn::ref

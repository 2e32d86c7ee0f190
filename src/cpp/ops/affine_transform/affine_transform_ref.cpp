// Pixel by pixel, places in double precision.
#include <cmath>

#include "ops/affine_transform/affine_transform.h"

namespace fastcnn::ref {

void affine_transform(const KernelArgs& args) {
  const auto& p = args.problem.as<AffineTransformParams>();
  const Shape& shape = args.in[0].shape();
  const std::int64_t h = shape[1], w = shape[2], c = shape[3];
  float* out = args.out[0].as<float>();
  for (std::int64_t pixel = 0; pixel < shape.product(0, 3); ++pixel) {
    const std::int64_t j = pixel % w, i = pixel / w % h, n = pixel / w / h;
    const float* m = args.in[1].as<float>() + 8 * n;
    const float* x = args.in[0].as<float>() + n * h * w * c;
    const auto at = [&](double column, double row, std::int64_t channel) {
      const std::int64_t s = pixel_inside(p.mode, static_cast<std::int32_t>(column), static_cast<std::int32_t>(w));
      const std::int64_t t = pixel_inside(p.mode, static_cast<std::int32_t>(row), static_cast<std::int32_t>(h));
      return s < 0 || t < 0 ? p.fill : x[(t * w + s) * c + channel];
    };
    const auto place = [&](const float* row) {
      return static_cast<double>(row[0]) * j + static_cast<double>(row[1]) * i;
    };
    const double k = place(m + 6) + 1, u = (place(m) + m[2]) / k, v = (place(m + 3) + m[5]) / k;
    const bool known = std::abs(u) <= kLargestSide && std::abs(v) <= kLargestSide;
    const double s = std::floor(u), t = std::floor(v);
    for (std::int64_t channel = 0; channel < c; ++channel, ++out) {
      if (!known) {
        *out = p.fill;
      } else if (p.bilinear == 0) {
        *out = at(std::floor(u + 0.5), std::floor(v + 0.5), channel);
      } else {
        const double top = (1 - (u - s)) * at(s, t, channel) + (u - s) * at(s + 1, t, channel);
        const double bottom = (1 - (u - s)) * at(s, t + 1, channel) + (u - s) * at(s + 1, t + 1, channel);
        *out = static_cast<float>((1 - (v - t)) * top + (v - t) * bottom);
      }
    }
  }
}

}  // namespace fastcnn::ref

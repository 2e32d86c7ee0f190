// Plain loops that are obviously right.
#include <cmath>
#include <limits>

#include "ops/distance/distance_codes.h"

namespace fastcnn::ref {

void encode_rows(const KernelArgs& args) {
  const Shape& shape = args.in[0].shape();
  const std::int64_t d = shape[1];
  for (std::int64_t r = 0; r < shape[0]; ++r) {
    const float* x = args.in[0].as<float>() + r * d;
    auto* codes = args.out[0].as<std::int8_t>() + r * d;
    float most = 0;
    bool nan = false;
    for (std::int64_t i = 0; i < d; ++i) most = std::fmax(most, std::fabs(x[i])), nan = nan || std::isnan(x[i]);
    const bool coded = most >= kLeastCoded && std::isfinite(most) && !nan;
    const float scale = coded ? most / kMostCode : 0, inverse = coded ? kMostCode / most : 0;
    double norm = 0, remainder = 0;
    for (std::int64_t i = 0; i < d; ++i) {
      codes[i] = static_cast<std::int8_t>(coded ? std::nearbyint(x[i] * inverse) : 0);
      const double whole = double{scale} * codes[i], rest = x[i] - whole;
      norm += whole * whole, remainder += rest * rest;
    }
    const float none = std::numeric_limits<float>::quiet_NaN();
    args.out[1].as<float>()[r] = nan ? none : scale;
    args.out[2].as<float>()[r] = nan ? none : static_cast<float>(std::sqrt(norm));
    args.out[3].as<float>()[r] =
        nan ? none : static_cast<float>(std::sqrt(remainder + sum_underflow(d)) * (1 + 0x1p-20));
  }
}

void nearest_coded(const KernelArgs& args) { nearest(args); }

}  // namespace fastcnn::ref

// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <cmath>

#include "ops/quantize/code.h"
#include "ops/quantize/quantize.h"

namespace fastcnn::ref {

void quantize(const KernelArgs& args) {
  const Quantization& q = args.problem.as<QuantizeParams>().q;
  const float* x = args.in[0].as<float>();
  auto* y = args.out[0].as<std::uint8_t>();
  for (std::int64_t i = 0; i < args.in[0].shape().size(); ++i) y[i] = code_of(x[i], q);
}

void dequantize(const KernelArgs& args) {
  const Quantization& q = args.problem.as<QuantizeParams>().q;
  const auto* x = args.in[0].as<std::uint8_t>();
  float* y = args.out[0].as<float>();
  for (std::int64_t i = 0; i < args.in[0].shape().size(); ++i) y[i] = q.scale * static_cast<float>(x[i] - q.zero_point);
}

void quantize_weights(const KernelArgs& args) {
  const std::int64_t channels = args.problem.as<QuantizeWeightsParams>().channels;
  const std::int64_t rows = channels > 0 ? args.in[0].shape().size() / channels : 0;
  const float* w = args.in[0].as<float>();
  auto* q = args.out[0].as<std::int8_t>();
  float* scales = args.out[1].as<float>();
  for (std::int64_t o = 0; o < channels; ++o) {
    float largest = 0;
    for (std::int64_t r = 0; r < rows; ++r) largest = std::fmax(largest, std::fabs(w[r * channels + o]));
    const float scale = largest / 127.0f;
    const bool usable = std::isnormal(scale) && std::isnormal(1.0f / scale);
    scales[o] = usable ? scale : 1.0f;
  }
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t o = 0; o < channels; ++o) {
      const float code = std::nearbyint(w[r * channels + o] / scales[o]);
      q[r * channels + o] = static_cast<std::int8_t>(std::fmin(127.0f, std::fmax(-127.0f, code)));
    }
}

}  // namespace fastcnn::ref

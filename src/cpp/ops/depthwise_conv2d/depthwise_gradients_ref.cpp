// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <cstring>

#include "ops/depthwise_conv2d/depthwise_gradients.h"

namespace fastcnn::ref {

void depthwise_conv2d_weight_gradient(const KernelArgs& args) {
  const auto& [h, w] = args.problem.as<DepthwiseGradientParams>().window;
  const Shape &xs = args.in[0].shape(), &ys = args.in[1].shape();
  const float *x = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  const std::int64_t multiplier = args.out[0].shape()[3];
  float* dw = args.out[0].as<float>();
  for (std::int64_t a = 0; a < h.size; ++a)
    for (std::int64_t b = 0; b < w.size; ++b)
      for (std::int64_t o = 0; o < ys[3]; ++o) {
        double sum = 0;  // these sums are long
        for (std::int64_t n = 0; n < ys[0]; ++n)
          for (std::int64_t i = 0; i < ys[1]; ++i)
            for (std::int64_t j = 0; j < ys[2]; ++j) {
              const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
              if (row < 0 || row >= xs[1] || column < 0 || column >= xs[2]) continue;
              sum += static_cast<double>(x[((n * xs[1] + row) * xs[2] + column) * xs[3] + o / multiplier]) *
                     dy[((n * ys[1] + i) * ys[2] + j) * ys[3] + o];
            }
        *dw++ = static_cast<float>(sum);
      }
}

void depthwise_conv2d_data_gradient(const KernelArgs& args) {
  const auto& [h, w] = args.problem.as<DepthwiseGradientParams>().window;
  const Shape &ys = args.in[0].shape(), &xs = args.out[0].shape();
  const float *dy = args.in[0].as<float>(), *kernel = args.in[1].as<float>();
  const std::int64_t multiplier = args.in[1].shape()[3];
  float* dx = args.out[0].as<float>();
  std::memset(dx, 0, static_cast<std::size_t>(args.out[0].type.bytes()));
  for (std::int64_t n = 0; n < ys[0]; ++n)
    for (std::int64_t i = 0; i < ys[1]; ++i)
      for (std::int64_t j = 0; j < ys[2]; ++j)
        for (std::int64_t a = h.first_tap(i); a < h.last_tap(i, xs[1]); ++a)
          for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, xs[2]); ++b) {
            const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
            const float* from = dy + ((n * ys[1] + i) * ys[2] + j) * ys[3];
            const float* taps = kernel + (a * w.size + b) * ys[3];
            float* to = dx + ((n * xs[1] + row) * xs[2] + column) * xs[3];
            for (std::int64_t o = 0; o < ys[3]; ++o) to[o / multiplier] += from[o] * taps[o];
          }
}

}  // namespace fastcnn::ref

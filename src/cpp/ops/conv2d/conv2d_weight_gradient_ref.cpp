// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/conv2d/conv2d_gradients.h"

namespace fastcnn::ref {

void conv2d_weight_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const auto& [h, w] = p.window;
  const Shape &xs = args.in[0].shape(), &ys = args.in[1].shape();
  const float *x = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dw = args.out[0].as<float>();
  const std::int64_t group_channels = p.group_channels(), group_filters = p.group_filters();
  for (std::int64_t a = 0; a < h.size; ++a)
    for (std::int64_t b = 0; b < w.size; ++b)
      for (std::int64_t c = 0; c < group_channels; ++c)
        for (std::int64_t o = 0; o < p.filters; ++o) {
          double sum = 0;  // these sums are long
          for (std::int64_t n = 0; n < ys[0]; ++n)
            for (std::int64_t i = 0; i < ys[1]; ++i)
              for (std::int64_t j = 0; j < ys[2]; ++j) {
                const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
                if (row < 0 || row >= xs[1] || column < 0 || column >= xs[2]) continue;
                const float* pixel = x + ((n * xs[1] + row) * xs[2] + column) * xs[3];
                sum += static_cast<double>(pixel[o / group_filters * group_channels + c]) *
                       dy[((n * ys[1] + i) * ys[2] + j) * ys[3] + o];
              }
          *dw++ = static_cast<float>(sum);
        }
}

}  // namespace fastcnn::ref

// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::ref {

void conv2d(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const auto& [h, w] = p.window;
  const Shape &xs = args.in[0].shape(), &ys = args.out[0].shape();
  const float *x = args.in[0].as<float>(), *kernel = args.in[1].as<float>();
  const EpilogueOperands operands(p.epilogue, args, 2);
  float* y = args.out[0].as<float>();
  const std::int64_t group_channels = p.group_channels(), group_filters = p.group_filters();
  std::int64_t index = 0;
  for (std::int64_t n = 0; n < ys[0]; ++n)
    for (std::int64_t i = 0; i < ys[1]; ++i)
      for (std::int64_t j = 0; j < ys[2]; ++j)
        for (std::int64_t o = 0; o < ys[3]; ++o, ++index) {
          float sum = 0;
          for (std::int64_t a = h.first_tap(i); a < h.last_tap(i, xs[1]); ++a)
            for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, xs[2]); ++b) {
              const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
              const float* pixel =
                  x + ((n * xs[1] + row) * xs[2] + column) * xs[3] + o / group_filters * group_channels;
              for (std::int64_t c = 0; c < group_channels; ++c)
                sum += pixel[c] * kernel[((a * w.size + b) * group_channels + c) * p.filters + o];
            }
          y[index] = finish(p.epilogue, operands, sum, o, index);
        }
}

}  // namespace fastcnn::ref

// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/conv2d_transpose/conv2d_transpose.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::ref {
namespace {

// The input that tap `a` brings to output `o`; -1 when there is none.
std::int64_t source(const WindowAxis& axis, std::int64_t o, std::int64_t a, std::int64_t n) {
  const std::int64_t t = o + axis.before - a * axis.dilation;
  return t >= 0 && t % axis.stride == 0 && t / axis.stride < n ? t / axis.stride : -1;
}

}  // namespace

void conv2d_transpose(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
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
          const std::int64_t first_channel = o / group_filters * group_channels;
          float sum = 0;
          for (std::int64_t a = 0; a < h.size; ++a)
            for (std::int64_t b = 0; b < w.size; ++b) {
              const std::int64_t row = source(h, i, a, xs[1]), column = source(w, j, b, xs[2]);
              if (row < 0 || column < 0) continue;
              const float* pixel = x + ((n * xs[1] + row) * xs[2] + column) * xs[3] + first_channel;
              const float* weights =
                  kernel + ((a * w.size + b) * group_filters + o % group_filters) * p.channels + first_channel;
              for (std::int64_t c = 0; c < group_channels; ++c) sum += pixel[c] * weights[c];
            }
          y[index] = finish(p.epilogue, operands, sum, o, index);
        }
}

}  // namespace fastcnn::ref

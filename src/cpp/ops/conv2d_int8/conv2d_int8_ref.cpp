// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/conv2d_int8/conv2d_int8.h"
#include "ops/quantize/int8_attrs.h"

namespace fastcnn::ref {

void conv2d_int8(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dInt8Params>();
  const auto& [h, w] = p.window;
  const Shape &xs = args.in[0].shape(), &ys = args.out[0].shape();
  const auto* kernel = args.in[1].as<std::int8_t>();
  const Int8Operands operands = int8_operands(p.end, args);
  std::int64_t index = 0;
  for (std::int64_t n = 0; n < ys[0]; ++n)
    for (std::int64_t i = 0; i < ys[1]; ++i)
      for (std::int64_t j = 0; j < ys[2]; ++j)
        for (std::int64_t o = 0; o < ys[3]; ++o, ++index) {
          std::int64_t sum = 0;
          for (std::int64_t a = h.first_tap(i); a < h.last_tap(i, xs[1]); ++a)
            for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, xs[2]); ++b) {
              const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
              const std::uint8_t* pixel = operands.x + ((n * xs[1] + row) * xs[2] + column) * xs[3];
              for (std::int64_t c = 0; c < xs[3]; ++c)
                sum += (pixel[c] - p.end.x.zero_point) * kernel[((a * w.size + b) * xs[3] + c) * p.filters + o];
            }
          finish(p.end, operands, sum, o, index);
        }
}

}  // namespace fastcnn::ref

// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/pool2d_int8/pool2d_int8.h"

namespace fastcnn::ref {

void max_pool2d_int8(const KernelArgs& args) {
  const Window2d& window = args.problem.as<Pool2dParams>().window;
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const auto* in = args.in[0].as<std::uint8_t>();
  auto* out = args.out[0].as<std::uint8_t>();
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t c = 0; c < y[3]; ++c) {
          const PoolSpan h = window_span(window.h, false, i, x[1]), w = window_span(window.w, false, j, x[2]);
          std::uint8_t best = 0;
          for (std::int64_t a = 0; a < h.count; ++a)
            for (std::int64_t b = 0; b < w.count; ++b) {
              const std::int64_t row = h.first + a * h.step, column = w.first + b * w.step;
              const std::uint8_t code = in[((n * x[1] + row) * x[2] + column) * x[3] + c];
              if (code > best) best = code;
            }
          *out++ = best;
        }
}

}  // namespace fastcnn::ref

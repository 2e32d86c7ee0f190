// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::ref {

void depthwise_conv2d(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseParams>();
  const WindowAxis &h = p.window.h, &w = p.window.w;
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const DepthwiseOperands t = depthwise_operands(args);
  const std::int64_t multiplier = args.in[1].shape()[3];
  const EpilogueOperands epilogue(p.epilogue, args, 2);
  std::int64_t k = 0;
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t o = 0; o < y[3]; ++o, ++k) {
          float sum = 0;
          for (std::int64_t a = h.first_tap(i); a < h.last_tap(i, x[1]); ++a)
            for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, x[2]); ++b) {
              const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
              sum += t.x[((n * x[1] + row) * x[2] + column) * x[3] + o / multiplier] * t.w[(a * w.size + b) * y[3] + o];
            }
          t.y[k] = finish(p.epilogue, epilogue, sum, o, k);
        }
}

}  // namespace fastcnn::ref

// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/dense/dense.h"
#include "ops/epilogue_operands.h"

namespace fastcnn::ref {

void dense(const KernelArgs& args) {
  const auto& p = args.problem.as<DenseParams>();
  const EpilogueOperands operands(p.epilogue, args, 2);
  float* y = args.out[0].as<float>();
  std::int64_t index = 0;
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t r = 0; r < p.rows; ++r)
      for (std::int64_t n = 0; n < p.columns; ++n, ++index) {
        const float* x = args.in[0].as<float>() + b * p.x_batch_stride + r * p.x_row_stride;
        const float* w = args.in[1].as<float>() + b * p.w_batch_stride + n * p.w_step;
        float sum = 0;
        for (std::int64_t k = 0; k < p.depth; ++k) sum += x[k * p.x_step] * w[k * p.w_row_stride];
        y[index] = finish(p.epilogue, operands, sum, n, index);
      }
}

}  // namespace fastcnn::ref

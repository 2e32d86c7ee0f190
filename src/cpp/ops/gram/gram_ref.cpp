// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include "ops/gram/gram.h"

namespace fastcnn::ref {

void gram_matrix(const KernelArgs& args) {
  const GramSplit s = split_gram(args.in[0].shape());
  const float scale = args.problem.as<GramParams>().scale;
  for (std::int64_t n = 0; n < args.in[0].shape()[0]; ++n) {
    const float* x = args.in[0].as<float>() + n * s.pixels * s.channels;
    float* y = args.out[0].as<float>() + n * s.channels * s.channels;
    for (std::int64_t i = 0; i < s.channels; ++i)
      for (std::int64_t j = i; j < s.channels; ++j) {
        float sum = 0;
        for (std::int64_t p = 0; p < s.pixels; ++p) sum += x[p * s.channels + i] * x[p * s.channels + j];
        y[i * s.channels + j] = y[j * s.channels + i] = sum * scale;
      }
  }
}

}  // namespace fastcnn::ref

#include "ops/max_unpool2d/max_unpool2d.h"

#include <cstring>

namespace fastcnn::ref {

void max_unpool2d(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t channels = x[3], pixels = y[1] * y[2], given = x[1] * x[2] * channels;
  parallel_ranges(x[0], 1, [&](std::int64_t n, std::int64_t) {
    const float* from = args.in[0].as<float>() + n * given;
    const std::int64_t* index = args.in[1].as<std::int64_t>() + n * given;
    float* to = args.out[0].as<float>() + n * pixels * channels;
    std::memset(to, 0, static_cast<std::size_t>(pixels * channels) * sizeof(float));
    for (std::int64_t i = 0; i < given; ++i)
      if (index[i] >= 0 && index[i] < pixels) to[index[i] * channels + i % channels] = from[i];
  });
}

void max_unpool2d_gradient(const KernelArgs& args) {
  const Shape &dy = args.in[0].shape(), &dx = args.out[0].shape();
  const std::int64_t channels = dx[3], pixels = dy[1] * dy[2], given = dx[1] * dx[2];
  if (channels == 0) return;
  parallel_ranges(dx[0] * given, max_i64(1, 16384 / channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const float* from = args.in[0].as<float>() + pixel / given * pixels * channels;
      const std::int64_t* index = args.in[1].as<std::int64_t>() + pixel * channels;
      float* to = args.out[0].as<float>() + pixel * channels;
      for (std::int64_t c = 0; c < channels; ++c)
        to[c] = index[c] >= 0 && index[c] < pixels ? from[index[c] * channels + c] : 0.0f;
    }
  });
}

}  // namespace fastcnn::ref

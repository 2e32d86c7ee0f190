// Computes   the maximum pooling of codes (the contract: pool2d_int8.h).
// Layout     NHWC in and out; a register holds neighbouring channels of one pixel.
// Tile       one register of maxima over the whole window, one load.
// Why        bound by reads; four times as many channels in a register as of floats, so few pictures have more.
// Needs      nothing: the channel tail is a masked load.
// Accuracy   exact.
#include "ops/pool2d_int8/pool2d_int8.h"

namespace fastcnn::FC_SIMD {
namespace {

// `n` channels of one output pixel; `whole` of a register, else the first n of it.
template <bool whole>
FC_INLINE void pool_pixel(const std::uint8_t* x, std::int64_t row_pitch, std::int64_t pitch, PoolSpan h, PoolSpan w,
                          std::int64_t n, std::uint8_t* y) {
  U8 best = zero_u8();
  for (std::int64_t a = 0; a < h.count; ++a) {
    const std::uint8_t* pixel = x + (h.first + a * h.step) * row_pitch + w.first * pitch;
    for (std::int64_t b = 0; b < w.count; ++b, pixel += w.step * pitch)
      best = max(best, whole ? load_u8(pixel) : load_u8(pixel, n));
  }
  whole ? store_u8(y, best) : store_u8(y, best, n);
}

}  // namespace

void max_pool2d_int8(const KernelArgs& args) {
  const Window2d& window = args.problem.as<Pool2dParams>().window;
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const auto* in = args.in[0].as<std::uint8_t>();
  auto* out = args.out[0].as<std::uint8_t>();
  const std::int64_t channels = x[3], row_pitch = x[2] * channels, picture = x[1] * row_pitch;
  constexpr std::int64_t kTaskOutputs = 32768;  // worth handing to a thread
  const std::int64_t grain = max_i64(1, kTaskOutputs / max_i64(1, y[2] * channels));
  parallel_ranges(y[0] * y[1], grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const PoolSpan h = window_span(window.h, false, row % y[1], x[1]);
      const std::uint8_t* image = in + row / y[1] * picture;
      for (std::int64_t j = 0; j < y[2]; ++j) {
        const PoolSpan w = window_span(window.w, false, j, x[2]);
        std::uint8_t* pixel = out + (row * y[2] + j) * channels;
        std::int64_t c = 0;
        for (; c + U8::width <= channels; c += U8::width)
          pool_pixel<true>(image + c, row_pitch, channels, h, w, 0, pixel + c);
        if (c < channels) pool_pixel<false>(image + c, row_pitch, channels, h, w, channels - c, pixel + c);
      }
    }
  });
}

}  // namespace fastcnn::FC_SIMD

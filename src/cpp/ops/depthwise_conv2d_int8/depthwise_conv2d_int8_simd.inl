// Computes   depthwise_conv2d_int8 (the contract: depthwise_conv2d_int8.h).
// Layout     NHWC in and out; a register holds neighbouring channels of one pixel.
// Tile       kInt8Columns channels of one output pixel: 2 registers of sums on AVX-512, 4 on AVX2; beside them one of
//            codes and one of weights.
// Why        simple: what has no four-tap multiplication is bound by the widening of codes in any case.
// Needs      nothing: the channel tail is read and written in part.
// Accuracy   exact sums.
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"
#include "ops/quantize/int8_finish.inl"

namespace fastcnn::FC_SIMD {
namespace {

template <class Kind, class Lanes>
FC_INLINE void convolve_pixel(const DepthwiseInt8Params& p, const Int8Finish& f, const Shape& xs,
                              const std::uint8_t* picture, const std::int8_t* kernel, std::int64_t i, std::int64_t j,
                              const Int8Columns& columns, const void* residual, void* y, Lanes lanes) {
  const auto& [h, w] = p.window;
  const I32 zero_point = set_i32(p.end.x.zero_point), low_half = set_i32(0xffff);
  I32 sum[kFinishRegisters];
  for (I32& s : sum) s = set_i32(0);
  for (std::int64_t a = h.first_tap(i); a < h.last_tap(i, xs[1]); ++a)
    for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, xs[2]); ++b) {
      const std::int64_t row = h.start(i) + a * h.dilation, column = w.start(j) + b * w.dilation;
      I32 x[kFinishRegisters], weights[kFinishRegisters];
      load_codes(x, picture + (row * xs[2] + column) * xs[3], lanes);
      load_signed(weights, kernel + (a * w.size + b) * xs[3], lanes);
      for (int r = 0; r < kFinishRegisters; ++r)
        sum[r] = sum[r] + multiply_pairs(x[r] - zero_point, weights[r] & low_half);
    }
  F32 scale[kFinishRegisters], bias[kFinishRegisters];
  for (int r = 0; r < kFinishRegisters; ++r) {
    scale[r] = load(columns.scale + r * F32::width);
    bias[r] = load(columns.bias + r * F32::width);
  }
  finish_row<Kind>(f, sum, scale, bias, residual, y, lanes);
}

}  // namespace

void depthwise_conv2d_int8(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseInt8Params>();
  const Shape &xs = args.in[0].shape(), &ys = args.out[0].shape();
  const Int8Operands operands = int8_operands(p.end, args);
  const Int8Finish finish = int8_finish(p.end, args);
  const std::int64_t channels = xs[3], blocks = ceil_div(channels, kInt8Columns);
  constexpr std::int64_t kTaskOutputs = 8192;  // worth handing to a thread
  const std::int64_t grain = max_i64(1, kTaskOutputs / max_i64(1, ys[2] * kInt8Columns));
  parallel_ranges(blocks * ys[0] * ys[1], grain, [&](std::int64_t begin, std::int64_t end) {
    Int8Columns columns;
    std::int64_t block = -1;
    with_finish(finish, [&](auto kind) {
      for (std::int64_t line = begin; line < end; ++line) {
        const std::int64_t first = line / (ys[0] * ys[1]) * kInt8Columns, row = line % (ys[0] * ys[1]);
        const std::int64_t count = min_i64(kInt8Columns, channels - first);
        if (block != first) set_columns(finish, p.end, operands, nullptr, block = first, count, columns);
        const std::uint8_t* picture = operands.x + row / ys[1] * xs[1] * xs[2] * channels + first;
        const std::int8_t* kernel = args.in[1].as<std::int8_t>() + first;
        for (std::int64_t j = 0; j < ys[2]; ++j) {
          const std::int64_t at = (row * ys[2] + j) * channels + first;
          const void* residual = operands.residual + at * operands.residual_item;
          void* y = operands.y + at * operands.y_item;
          if (count == kInt8Columns)
            convolve_pixel<decltype(kind)>(p, finish, xs, picture, kernel, row % ys[1], j, columns, residual, y,
                                           Whole{});
          else
            convolve_pixel<decltype(kind)>(p, finish, xs, picture, kernel, row % ys[1], j, columns, residual, y,
                                           Part{count});
        }
      }
    });
  });
}

}  // namespace fastcnn::FC_SIMD

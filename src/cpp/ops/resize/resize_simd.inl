// Computes   bilinear resizing (the contract: resize.h).
// Layout     NHWC in and out. Many channels: a vector holds neighbouring channels of one pixel. Few channels: a vector
//            holds neighbouring floats of a row, blended vertically into a row buffer; columns then go one by one.
// Tile       one output vector: 4 loads, 4 weights in registers, 3 multiplications, 3 FMAs; iterations are independent.
// Why        every output costs 4 loads from L1 and 1 store, so stores to L2/L3 bound it; what is left is not to
//            recompute positions, hence the table of columns. With few channels whole rows fill the vectors, where
//            single pixels would fill a corner of them.
// Needs      the table of columns, and a row buffer a task where channels are few.
// Accuracy   3 roundings more than exact: |error| <= 4 eps max|x|. Order of blending differs with few channels.
#include "ops/resize/resize.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

FC_INLINE F32 blend(F32 keep, F32 a, F32 share, F32 b) { return fma(share, b, keep * a); }

template <bool tail>
FC_INLINE void blend_pixel(const float* top, const float* bottom, const ResizeColumn& column, F32 up, F32 down,
                           std::int64_t n, float* y) {
  const F32 keep = set(column.keep), share = set(column.share);
  const auto get = [n](const float* p) { return tail ? load(p, n) : load(p); };
  const F32 a = blend(keep, get(top + column.left), share, get(top + column.right));
  const F32 b = blend(keep, get(bottom + column.left), share, get(bottom + column.right));
  const F32 result = blend(up, a, down, b);
  tail ? store(y, result, n) : store(y, result);
}

}  // namespace

void resize_bilinear(const KernelArgs& args) {
  const auto& p = args.problem.as<ResizeParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const float* in = args.in[0].as<float>();
  float* out = args.out[0].as<float>();
  const std::int64_t channels = x[3], in_row = x[2] * channels, out_row = y[2] * channels;

  auto* columns = static_cast<ResizeColumn*>(args.workspace);
  auto* buffers = reinterpret_cast<float*>(columns + y[2]);
  for (std::int64_t j = 0; j < y[2]; ++j) {
    const BilinearTap w = bilinear_tap(p.coordinate, j, x[2], y[2]);
    columns[j] = {w.first * channels, w.second * channels, 1 - w.share, w.share};
  }

  const std::int64_t grain = resize_task_rows(y);
  parallel_ranges(y[0] * y[1], grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const BilinearTap h = bilinear_tap(p.coordinate, row % y[1], x[1], y[1]);
      const float* picture = in + row / y[1] * x[1] * in_row;
      const float *top = picture + h.first * in_row, *bottom = picture + h.second * in_row;
      const F32 up = set(1 - h.share), down = set(h.share);
      float* pixel = out + row * out_row;
      if (resize_few_channels(y)) {
        float* buffer = buffers + begin / grain * in_row;
        std::int64_t k = 0;
        for (; k + F32::width <= in_row; k += F32::width)
          store(buffer + k, blend(up, load(top + k), down, load(bottom + k)));
        if (k < in_row)
          store(buffer + k, blend(up, load(top + k, in_row - k), down, load(bottom + k, in_row - k)), in_row - k);
        for (std::int64_t j = 0; j < y[2]; ++j)
          for (std::int64_t c = 0; c < channels; ++c)
            *pixel++ = columns[j].keep * buffer[columns[j].left + c] + columns[j].share * buffer[columns[j].right + c];
        continue;
      }
      for (std::int64_t j = 0; j < y[2]; ++j, pixel += channels) {
        std::int64_t c = 0;
        for (; c + F32::width <= channels; c += F32::width)
          blend_pixel<false>(top + c, bottom + c, columns[j], up, down, 0, pixel + c);
        if (c < channels) blend_pixel<true>(top + c, bottom + c, columns[j], up, down, channels - c, pixel + c);
      }
    }
  });
}

}  // namespace fastcnn::FC_SIMD

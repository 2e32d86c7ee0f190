// The gradient of what makes each output pixel a weighted sum of input pixels (pooling, resizing): every input pixel
// gathers its share of the outputs that it went into, so none is added to by two threads and sums have one order.
#pragma once

#include "core/lanes.cuh"
#include "ops/pixel_range.h"

namespace fastcnn::cuda {

// Computes   dx = the sum of dy times what each output takes of the pixel, over outputs in their order, row by row.
// Layout     NHWC; neighbouring threads have neighbouring channels of an input pixel, then the next pixel.
// Threads    256 a block, each with one or four channels of one input pixel, summed in registers, of which it has at
//            most 80: three blocks a multiprocessor.
// Why        each pixel is written once, with no atomics; the outputs of neighbouring pixels are mostly the same, and
//            in the first-level cache.
// Bound      by memory where few outputs take of a pixel, else by the first-level cache.
// Needs      Takers: rows(p) and columns(q), the outputs that may take of a pixel, and share(i, j, p, q), what they
//            take (0: nothing). dy and dx have one number of channels.
// Accuracy   one rounding for each share and, fused, each addition.
template <int lanes, class Takers>
__global__ void __launch_bounds__(kItemThreads, 3)
    gather_pixels(const float* __restrict__ dy, float* __restrict__ dx, std::int64_t items, Places places,
                  Shape dy_shape, Takers takers) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const PixelRange rows = takers.rows(at.row), columns = takers.columns(at.column);
  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t i = rows.first; i <= rows.last; ++i)
    for (std::int64_t j = columns.first; j <= columns.last; ++j) {
      const float share = takers.share(i, j, at.row, at.column);
      if (share == 0.0f) continue;
      const Lanes<lanes> given = load<lanes>(dy + offset_of(dy_shape, at.n, i, j, at.channel));
#pragma unroll
      for (int l = 0; l < lanes; ++l) sum[l] = fmaf(share, given[l], sum[l]);
    }
  store(dx + item * lanes, sum);
}

// Operand 0 is dy, result 0 dx.
template <class Takers>
void run_gather_pixels(const char* name, const KernelArgs& args, const Takers& takers) {
  const Shape &dy = args.in[0].shape(), &dx = args.out[0].shape();
  with_lanes(args, dx[3], [&](auto lanes) {
    const std::int64_t items = dx.size() / lanes;
    launch(name, gather_pixels<lanes, Takers>, grid_of(items), args, args.in[0].as<float>(), args.out[0].as<float>(),
           items, Places(dx, lanes), dy, takers);
  });
}

}  // namespace fastcnn::cuda

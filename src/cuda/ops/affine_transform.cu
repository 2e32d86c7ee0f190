// affine_transform: pictures whose pixels come from where a matrix says (the contract: affine_transform.h).
#include "core/lanes.cuh"
#include "ops/affine_transform/affine_transform.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kName[] = "affine_transform_f32_cuda";

// Where the pixel at column j and row i comes from.
struct Source {
  float u, v;
  bool known;
};

__device__ __forceinline__ Source source_of(const float* m, std::int64_t j, std::int64_t i) {
  const float column = static_cast<float>(j);
  const auto of_row = [&](const float* row, double rest) {
    return fmaf(row[0], column, static_cast<float>(static_cast<double>(row[1]) * static_cast<double>(i) + rest));
  };
  const float k = of_row(m + 6, 1.0), u = of_row(m, m[2]) / k, v = of_row(m + 3, m[5]) / k;
  const float most = static_cast<float>(kLargestSide);
  return {u, v, fabsf(u) <= most && fabsf(v) <= most};
}

// Computes   affine_transform.
// Layout     NHWC; neighbouring threads have neighbouring channels of an output pixel, then the next pixel.
// Threads    256 a block, each with one or four channels of one output.
// Why        neighbouring outputs come from neighbouring pixels, which the first-level cache holds. Terms of a row are
//            summed in double precision, as few as can be: most devices have little of it.
// Bound      by memory; of few channels by finding places.
// Needs      nothing.
// Accuracy   places err by a few roundings of the terms they are summed from, so bilinear results by as much times the
//            difference of neighbours, and four roundings; nearest results where a place is that close to halfway may
//            be the neighbour.
template <bool bilinear, int lanes>
__global__ void __launch_bounds__(kItemThreads)
    transform(const float* __restrict__ x, const float* __restrict__ matrices, float* __restrict__ y,
              std::int64_t items, Places places, AffineTransformParams p, Shape shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const Source from = source_of(matrices + 8 * at.n, at.column, at.row);
  Lanes<lanes> result = all_lanes<lanes>(p.fill);
  if (from.known) {
    const auto pixel = [&](float column, float row) {
      const int s = pixel_inside(p.mode, static_cast<int>(column), static_cast<int>(shape[2]));
      const int t = pixel_inside(p.mode, static_cast<int>(row), static_cast<int>(shape[1]));
      return s < 0 || t < 0 ? all_lanes<lanes>(p.fill) : load<lanes>(x + offset_of(shape, at.n, t, s, at.channel));
    };
    if constexpr (bilinear) {
      const float s = floorf(from.u), t = floorf(from.v), right = from.u - s, down = from.v - t;
      const Lanes<lanes> a = pixel(s, t), b = pixel(s + 1, t), c = pixel(s, t + 1), d = pixel(s + 1, t + 1);
#pragma unroll
      for (int l = 0; l < lanes; ++l) {
        const float top = (1 - right) * a[l] + right * b[l], bottom = (1 - right) * c[l] + right * d[l];
        result[l] = (1 - down) * top + down * bottom;
      }
    } else {
      result = pixel(floorf(from.u + 0.5f), floorf(from.v + 0.5f));
    }
  }
  store(y + item * lanes, result);
}

void run(const KernelArgs& args) {
  const auto& p = args.problem.as<AffineTransformParams>();
  const Shape& shape = args.in[0].shape();
  with_lanes(args, shape[3], [&](auto lanes) {
    const std::int64_t items = shape.size() / lanes;
    launch(kName, p.bilinear ? transform<true, lanes> : transform<false, lanes>, grid_of(items), args,
           args.in[0].as<float>(), args.in[1].as<float>(), args.out[0].as<float>(), items, Places(shape, lanes), p,
           shape);
  });
}

constexpr KernelInfo kRows[] = {{.name = kName, .device = Device::Cuda, .run = run}};

}  // namespace

std::span<const OpRows> affine_transform_rows() {
  static constexpr OpRows rows[] = {{"affine_transform", kRows}};
  return rows;
}

}  // namespace fastcnn::cuda

// Computes   affine_transform (the contract: affine_transform.h).
// Layout     NHWC. Registers hold the places of neighbouring pixels first, then the channels of one pixel; one and
//            three channels go one by one.
// Tile       places: a register of columns, twelve or so of what comes of it; pixels: four loads, four weights, four
//            operations and a store.
// Why        every pixel reads four others at places that follow no pattern a register could load; finding the places
//            is most of the arithmetic, and goes sixteen or eight pixels at a time into small tables. What lies outside
//            is read from a pixel of fill values, so that nothing else asks.
// Needs      that pixel as workspace.
// Accuracy   places err by a few roundings of the terms they are summed from, so bilinear results by as much times the
//            difference of neighbours, and four roundings; nearest results where a place is that close to halfway may
//            be the neighbour.
#include "ops/affine_transform/affine_transform.h"
#include "simd/math.inl"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kPixels = 64;

// Where the pixels of a stretch of a row come from: columns and rows of the four, as floats that are whole, negative
// for the fill value; and the share of the second.
struct Places {
  float column[2][kPixels], row[2][kPixels], right[kPixels], down[kPixels];
};

// The pixel of a side of n pixels that stands for the whole number t.
template <FillMode mode>
FC_INLINE F32 inside(F32 t, F32 n) {
  const F32 last = n - set(1.0f);
  if constexpr (mode == FillMode::Constant) return select((t < zero()) | (last < t), set(-1.0f), t);
  if constexpr (mode == FillMode::Wrap) t = fnma(floor(t / n), n, t);
  if constexpr (mode == FillMode::Reflect) {
    const F32 period = n + n;
    t = fnma(floor(t / period), period, t);
    t = select(last < t, period - set(1.0f) - t, t);
  }
  return min(max(t, zero()), last);
}

template <FillMode mode, bool bilinear>
FC_INLINE void find(F32 place, Mask known, F32 n, float* first, float* second, float* share) {
  const F32 t = bilinear ? floor(place) : floor(place + set(0.5f));
  store(first, select(known, inside<mode>(t, n), set(-1.0f)));
  if constexpr (bilinear) {
    store(second, select(known, inside<mode>(t + set(1.0f), n), set(-1.0f)));
    store(share, place - t);
  }
}

// The places of the kPixels pixels from column `begin` on, of row i.
template <FillMode mode, bool bilinear>
FC_INLINE void find_places(const float* m, std::int64_t begin, std::int64_t i, const Shape& shape, Places& p) {
  const F32 h = set(static_cast<float>(shape[1])), w = set(static_cast<float>(shape[2]));
  const auto of_row = [&](const float* row, double rest) {
    return set(static_cast<float>(static_cast<double>(row[1]) * static_cast<double>(i) + rest));
  };
  const F32 base_u = of_row(m, m[2]), base_v = of_row(m + 3, m[5]), base_k = of_row(m + 6, 1.0);
  float columns[kPixels];
  for (std::int64_t j = 0; j < kPixels; ++j) columns[j] = static_cast<float>(begin + j);
  for (std::int64_t j = 0; j < kPixels; j += F32::width) {
    const F32 column = load(columns + j), k = fma(set(m[6]), column, base_k);
    F32 u = fma(set(m[0]), column, base_u) / k, v = fma(set(m[3]), column, base_v) / k;
    const F32 most = set(static_cast<float>(kLargestSide));
    const Mask known = (abs(u) <= most) & (abs(v) <= most);
    u = select(known, u, zero());
    v = select(known, v, zero());
    find<mode, bilinear>(u, known, w, p.column[0] + j, p.column[1] + j, p.right + j);
    find<mode, bilinear>(v, known, h, p.row[0] + j, p.row[1] + j, p.down + j);
  }
}

// One channel by itself: where there are few, a register would mostly be empty, and lie across two cache lines.
struct Single {};
FC_INLINE float get(const float* p, Single) { return *p; }
FC_INLINE void put(float* p, float a, Single) { *p = a; }
FC_INLINE float all(float a, Single) { return a; }
template <class Lanes>
FC_INLINE F32 get(const float* p, Lanes lanes) {
  return load(p, lanes);
}
template <class Lanes>
FC_INLINE void put(float* p, F32 a, Lanes lanes) {
  store(p, a, lanes);
}
template <class Lanes>
FC_INLINE F32 all(float a, Lanes) {
  return set(a);
}

// body(k, lanes) for the channels of a pixel, `channels` of them, or c where that is 0.
template <int channels, class Body>
FC_INLINE void each_channel(std::int64_t c, const Body& body) {
  if constexpr (channels == 0) return each_register(c, body);
  for (int k = 0; k < channels; ++k) body(k, Single{});
}

template <FillMode mode, bool bilinear, int channels>
FC_INLINE void transform(const KernelArgs& args) {
  const Shape& shape = args.in[0].shape();
  const std::int64_t h = shape[1], w = shape[2], c = shape[3];
  if (shape.size() == 0) return;
  float* fill = static_cast<float*>(args.workspace);
  for (std::int64_t i = 0; i < c; ++i) fill[i] = args.problem.as<AffineTransformParams>().fill;

  constexpr std::int64_t kTask = 16384;
  parallel_ranges(shape[0] * h, max_i64(1, kTask / (w * c)), [&](std::int64_t begin, std::int64_t end) {
    Places p;
    for (std::int64_t row = begin; row < end; ++row) {
      const float* m = args.in[1].as<float>() + row / h * 8;
      const float* x = args.in[0].as<float>() + row / h * h * w * c;
      float* y = args.out[0].as<float>() + row * w * c;
      for (std::int64_t first = 0; first < w; first += kPixels) {
        find_places<mode, bilinear>(m, first, row % h, shape, p);
        const auto pixel = [&](int down, int right, std::int64_t j) {
          const float s = p.column[right][j], t = p.row[down][j];
          if (s < 0.0f || t < 0.0f) return static_cast<const float*>(fill);
          return x + (static_cast<std::int64_t>(t) * w + static_cast<std::int64_t>(s)) * c;
        };
        const std::int64_t n = min_i64(kPixels, w - first);
        for (std::int64_t j = 0; j < n; ++j, y += c) {
          const float* top_left = pixel(0, 0, j);
          if constexpr (!bilinear) {
            each_channel<channels>(c, [&](std::int64_t k, auto lanes) { put(y + k, get(top_left + k, lanes), lanes); });
          } else {
            const float *top_right = pixel(0, 1, j), *bottom_left = pixel(1, 0, j), *bottom_right = pixel(1, 1, j);
            const float right = p.right[j], down = p.down[j];
            each_channel<channels>(c, [&](std::int64_t k, auto lanes) {
              const auto blend = [&](float share, auto a, auto b) {
                return all(share, lanes) * b + all(1.0f - share, lanes) * a;
              };
              const auto top = blend(right, get(top_left + k, lanes), get(top_right + k, lanes));
              const auto bottom = blend(right, get(bottom_left + k, lanes), get(bottom_right + k, lanes));
              put(y + k, blend(down, top, bottom), lanes);
            });
          }
        }
      }
    }
  });
}

template <FillMode mode, bool bilinear>
void any_channels(const KernelArgs& args) {
  switch (args.in[0].shape()[3]) {
    case 1: return transform<mode, bilinear, 1>(args);
    case 3: return transform<mode, bilinear, 3>(args);
    default: return transform<mode, bilinear, 0>(args);
  }
}

}  // namespace

void affine_transform(const KernelArgs& args) {
  const auto& p = args.problem.as<AffineTransformParams>();
  switch (p.mode) {
    case FillMode::Constant:
      return p.bilinear ? any_channels<FillMode::Constant, true>(args) : any_channels<FillMode::Constant, false>(args);
    case FillMode::Nearest:
      return p.bilinear ? any_channels<FillMode::Nearest, true>(args) : any_channels<FillMode::Nearest, false>(args);
    case FillMode::Reflect:
      return p.bilinear ? any_channels<FillMode::Reflect, true>(args) : any_channels<FillMode::Reflect, false>(args);
    case FillMode::Wrap:
      return p.bilinear ? any_channels<FillMode::Wrap, true>(args) : any_channels<FillMode::Wrap, false>(args);
  }
}

}  // namespace fastcnn::FC_SIMD

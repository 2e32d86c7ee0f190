// affine_transform: the contract of pictures whose pixels come from where a matrix says; NHWC, float32.
//
//   operands x (n, h, w, c), matrices (n, 8); result (n, h, w, c)
//   With (a, b, p, d, e, q, r, s) the row of a picture, the result's pixel at column j and row i comes from column
//   u = (a j + b i + p) / k and row v = (d j + e i + q) / k of x, where k = r j + s i + 1.
//   nearest:  the pixel at floor(u + 1/2), floor(v + 1/2)
//   bilinear: blended from the pixels at floor(u), floor(u) + 1 and floor(v), floor(v) + 1
//
// A pixel that lies outside, by its whole number t of a side of n pixels, is
//   constant  the fill value
//   nearest   the outermost pixel:              a a a | a b c d | d d d
//   reflect   that of the mirrored picture:     c b a | a b c d | d c b
//   wrap      that of the picture put again:    b c d | a b c d | a b c
// Corner cases, the same for every kernel: where u or v is no number (k = 0) or beyond 2^22 in magnitude, the pixel is
// the fill value, whatever the mode; sides have at most 2^22 pixels; a pixel whose weight is zero counts, so that NaN
// and infinity reach the pixels beside them.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class FillMode : std::int32_t { Constant, Nearest, Reflect, Wrap };

struct AffineTransformParams {
  FillMode mode = FillMode::Constant;
  std::int32_t bilinear = 1;
  float fill = 0.0f;
};

inline constexpr std::int64_t kLargestSide = std::int64_t{1} << 22;

// The pixel of a side of n pixels that stands for t, whose magnitude is at most kLargestSide + 1; -1 for the fill
// value.
FC_INLINE std::int32_t pixel_inside(FillMode mode, std::int32_t t, std::int32_t n) {
  if (t >= 0 && t < n) return t;
  switch (mode) {
    case FillMode::Constant: return -1;
    case FillMode::Nearest: return t < 0 ? 0 : n - 1;
    case FillMode::Wrap: return (t % n + n) % n;
    case FillMode::Reflect: t = (t % (2 * n) + 2 * n) % (2 * n); return t < n ? t : 2 * n - 1 - t;
  }
  return -1;
}

namespace ref {
void affine_transform(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void affine_transform(const KernelArgs& args);
}
namespace avx512 {
void affine_transform(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

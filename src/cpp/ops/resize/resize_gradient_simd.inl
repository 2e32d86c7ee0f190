// Computes   resize_gradient (the contract: resize.h).
// Layout     NHWC in and out; a vector holds neighbouring channels of one input pixel.
// Tile       one register of channels, kept in the result, which stays in the first-level cache.
// Why        gathering writes each input pixel once and needs no atomic additions; enlarging twice, 4 (nearest) to 16
//            (bilinear) outputs went into each pixel, so loads from the second-level cache bound it.
// Needs      tables of taps and of their takers in the workspace.
// Accuracy   one rounding for each share and each addition.
#include "ops/gather_pixels.inl"
#include "ops/resize/resize.h"

namespace fastcnn::FC_SIMD {

void resize_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ResizeParams>();
  const Shape &x = args.out[0].shape(), &y = args.in[0].shape();
  auto* taps_h = static_cast<BilinearTap*>(args.workspace);
  BilinearTap* taps_w = taps_h + y[1];
  auto* takers_h = reinterpret_cast<PixelRange*>(taps_w + y[2]);
  PixelRange* takers_w = takers_h + x[1];
  fill_taps(p, x[1], y[1], taps_h, takers_h);
  fill_taps(p, x[2], y[2], taps_w, takers_w);
  gather_pixels(
      args, [&](std::int64_t row) { return takers_h[row]; }, [&](std::int64_t column) { return takers_w[column]; },
      [&](std::int64_t i, std::int64_t j, std::int64_t row, std::int64_t column) {
        return share_of(taps_h[i], row) * share_of(taps_w[j], column);
      });
}

}  // namespace fastcnn::FC_SIMD

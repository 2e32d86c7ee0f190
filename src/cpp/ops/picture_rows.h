// Rows of A that are windows of NHWC pictures: how convolution becomes a matrix product without im2col.
#pragma once

#include "gemm/gemm.h"
#include "core/window.h"

namespace fastcnn {

// Row r of the product is the window of output pixel (n, i, j), r = (n out_h + i) out_w + j; its floats are the
// window's rows, columns and channels in that order. The window is read in the picture itself, in runs of neighbouring
// floats:
//   - where it lies inside the picture's width, a run is a whole row of it (kw * channels floats);
//   - else a run is one pixel, and pixels outside are a row of zeros;
//   - few channels (a network's first layer: 3) would make such runs too short, so there what neighbouring windows read
//     of a row of the picture is copied where they cross its left or right edge, zeros included;
//   - taps above or below the picture for all pixels of a tile are left out.
class PictureRows final : public gemm::RowSource {
 public:
  struct Pictures {
    const float* x;
    std::int64_t height, width, channels, groups;
  };
  // Where output pixel (n, i, j) goes: n * picture + i * row + j * pixel floats from the start.
  struct Output {
    std::int64_t height, width;
    std::int64_t picture, row, pixel;
  };

  // `zeros`: as many bytes of zeros as zeros_bytes() says.
  PictureRows(const Window2d& window, const Pictures& from, const Output& to, const float* zeros);
  static std::int64_t zeros_bytes(const Window2d& window, std::int64_t group_channels);

  void rows(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const override;
  std::int64_t stretch(std::int64_t group, std::int64_t first, std::int64_t count, gemm::Stretch& to) const override;
  bool stretches() const override { return pointwise_ || copies_; }
  std::int64_t max_taps() const override { return win_.h.size * win_.w.size; }
  std::int64_t scratch() const override { return copies_ ? gemm::kStretch * win_.h.size * max_i64(run_, step_) : 0; }
  std::int64_t unit() const override { return pointwise_ ? 1 : run_; }
  bool contiguous() const override { return contiguous_; }

 private:
  // Neighbouring windows of one row of outputs.
  struct Neighbours {
    int first, count;
    const float* picture;
    std::int64_t top, left;  // of the first
    bool inside;             // the picture's width, all of them
  };
  void pixels(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const;
  float* copy_span(const Neighbours& windows, std::int64_t row, float* to) const;

  Window2d win_;
  Pictures from_;
  Output to_;
  const float* zeros_;
  std::int64_t group_channels_;
  std::int64_t run_;   // floats of a window's row
  std::int64_t step_;  // floats from one window to its neighbour
  bool mergeable_, copies_, pointwise_, contiguous_;
  bool same_;  // the windows are the pixels: row r of A is pixel r, and goes to pixel r of a result without gaps
};

}  // namespace fastcnn

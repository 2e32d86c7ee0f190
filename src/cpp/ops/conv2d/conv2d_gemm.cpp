// Computes   conv2d as a matrix product: a row is an output pixel, a column a filter, the sum runs over the window.
// Layout     NHWC in and out. The window of a pixel is `taps` runs of neighbouring floats, and the engine reads them in
//            the picture itself through a pointer a run: where the window lies inside the picture's width, a run is a
//            whole row of it (kw * channels floats), else one pixel, and pixels outside are a row of zeros. Weights are
//            packed once into panels of filters (gemm/README.md).
// Why        no im2col copy, which for a 3 x 3 kernel would write and read nine times the picture.
//            Few channels (the first layer: 3) would make runs too short at the picture's edge, so there the runs of
//            the few windows that cross it are copied together, zeros included. Taps that lie above or below the
//            picture for all pixels of a tile are left out.
// Needs      weights packed by conv2d_pack_<isa>; a row of zeros as workspace.
// Accuracy   one chain of fused multiply-adds an output in the contract's order.
// Source     M. Dukhan, The Indirect Convolution Algorithm, 2019.
#include <cstring>

#include "gemm/gemm.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

namespace fastcnn {
namespace {

// Windows across the edge are copied together when a row of them has at most this many floats.
constexpr std::int64_t kShortRun = 64;

class PictureRows final : public gemm::RowSource {
 public:
  PictureRows(const Conv2dParams& p, const Tensor& x, const Shape& y, const float* zeros)
      : p_(p), x_(x.as<float>()), zeros_(zeros), height_(x.shape()[1]), width_(x.shape()[2]), out_h_(y[1]), out_w_(y[2]) {
    mergeable_ = p.groups == 1 && p.window.w.dilation == 1;
    copies_ = mergeable_ && p.window.w.size > 1 && p.window.w.size * p.channels <= kShortRun;
    const auto& [h, w] = p.window;
    pointwise_ = h.size == 1 && w.size == 1 && h.before == 0 && h.after == 0 && w.before == 0 && w.after == 0;
  }

  std::int64_t max_taps() const override { return p_.window.h.size * p_.window.w.size; }
  std::int64_t scratch() const override { return copies_ ? gemm::kMaxTileRows * p_.depth() : 0; }

  std::int64_t unit() const override { return pointwise_ ? 1 : p_.window.w.size * p_.group_channels(); }
  bool contiguous() const override {
    return pointwise_ && p_.groups == 1 && p_.window.h.stride == 1 && p_.window.w.stride == 1;
  }

  void rows(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const override {
    const auto& [h, w] = p_.window;
    const std::int64_t channels = p_.channels, filters = p_.filters;
    const std::int64_t picture_size = height_ * width_ * channels;
    std::int64_t j = first % out_w_, i = first / out_w_ % out_h_;
    const float* picture = x_ + first / out_w_ / out_h_ * picture_size + group * p_.group_channels();

    Window window[gemm::kMaxTileRows];
    std::int64_t first_tap = h.size, last_tap = 0;
    bool all_inside = true, all_whole = true;
    for (int r = 0; r < count; ++r) {
      const std::int64_t top = h.start(i), left = w.start(j);
      const bool inside = left >= 0 && left + w.extent() <= width_;
      window[r] = {picture + (top * width_ + left) * channels, picture, top, left, inside};
      set.at[r] = (first + r) * filters;
      all_inside &= inside;
      const bool whole = top >= 0 && top + h.extent() <= height_;
      all_whole &= whole;
      first_tap = min_i64(first_tap, whole ? 0 : h.first_tap(i));
      last_tap = max_i64(last_tap, whole ? h.size : h.last_tap(i, height_));
      if (++j == out_w_) {
        j = 0;
        if (++i == out_h_) i = 0, picture += picture_size;
      }
    }
    if (pointwise_) {
      set.taps = 1, set.depth = p_.group_channels(), set.b_row = 0;
      for (int r = 0; r < count; ++r) set.a[r] = window[r].start;
      return;
    }
    const bool merged = mergeable_ && (all_inside || copies_);  // a run is a whole row of the window
    const std::int64_t run_taps = merged ? 1 : w.size;
    set.depth = p_.group_channels() * (merged ? w.size : 1);
    set.taps = max_i64(0, last_tap - first_tap) * run_taps;
    set.b_row = first_tap * w.size * p_.group_channels();
    const float** a = set.a;
    if (all_inside && all_whole) {
      for (std::int64_t kh = first_tap; kh < last_tap; ++kh)
        for (std::int64_t kw = 0; kw < run_taps; ++kw) {
          const std::int64_t step = (kh * h.dilation * width_ + kw * w.dilation) * channels;
          for (int r = 0; r < count; ++r) *a++ = window[r].start + step;
        }
      return;
    }
    float* copy = set.scratch;
    for (std::int64_t kh = first_tap; kh < last_tap; ++kh) {
      const std::int64_t down = kh * h.dilation;
      for (std::int64_t kw = 0; kw < run_taps; ++kw) {
        const std::int64_t right = kw * w.dilation, step = (down * width_ + right) * channels;
        for (int r = 0; r < count; ++r) {
          const Window& from = window[r];
          const std::int64_t row = from.top + down, column = from.left + right;
          if (row < 0 || row >= height_ || (!merged && (column < 0 || column >= width_))) {
            *a++ = zeros_;
          } else if (!merged || from.inside) {
            *a++ = from.start + step;
          } else {
            *a++ = copy;
            copy = copy_run(from, row, copy);
          }
        }
      }
    }
  }

 private:
  struct Window {
    const float* start;  // the first pixel, be it inside the picture or not
    const float* picture;
    std::int64_t top, left;
    bool inside;  // the picture's width
  };

  // One row of a window that crosses the left or right edge, with its zeros.
  float* copy_run(const Window& from, std::int64_t row, float* to) const {
    const std::int64_t begin = max_i64(0, -from.left), end = min_i64(p_.window.w.size, width_ - from.left);
    const std::int64_t size = p_.window.w.size * p_.channels;
    std::memset(to, 0, static_cast<std::size_t>(size) * sizeof(float));
    if (begin < end)
      std::memcpy(to + begin * p_.channels, from.picture + (row * width_ + from.left + begin) * p_.channels,
                  static_cast<std::size_t>((end - begin) * p_.channels) * sizeof(float));
    return to + size;
  }

  const Conv2dParams& p_;
  const float* x_;
  const float* zeros_;
  std::int64_t height_, width_, out_h_, out_w_;
  bool mergeable_, copies_, pointwise_;
};

void run(const gemm::Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape& y = args.out[0].shape();
  auto* zeros = static_cast<float*>(args.workspace);
  std::memset(zeros, 0, static_cast<std::size_t>(conv2d_workspace(args.problem)));
  gemm::Product product;
  product.rows = y[0] * y[1] * y[2];
  product.columns = p.group_filters();
  product.depth = p.depth();
  product.packed = args.in[1].as<float>();
  product.c = args.out[0].as<float>();
  const EpilogueOperands operands(p.epilogue, args, 2);
  product.bias = operands.bias;
  product.residual = operands.residual;
  product.activation = p.epilogue.activation;
  product.alpha = p.epilogue.alpha;
  product.batch = p.groups;
  product.packed_stride = gemm::packed_size(engine.blocking, product.depth, product.columns);
  product.c_stride = product.bias_stride = product.columns;
  gemm::multiply(engine, product, PictureRows(p, args.in[0], y, zeros));
}

void pack(const gemm::Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const std::int64_t depth = p.depth(), columns = p.group_filters();
  const std::int64_t group_size = gemm::packed_size(engine.blocking, depth, columns);
  for (std::int64_t g = 0; g < p.groups; ++g)
    gemm::pack(engine.blocking, {args.in[0].as<float>() + g * columns, p.filters, 1, depth, columns},
               args.out[0].as<float>() + g * group_size);
}

}  // namespace

// One run of zeros, for the pixels outside the picture.
std::int64_t conv2d_workspace(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return max_i64(1, p.window.w.size * p.group_channels()) * static_cast<std::int64_t>(sizeof(float));
}

void avx2::conv2d(const KernelArgs& args) { run(gemm::avx2::engine, args); }
void avx2::conv2d_pack(const KernelArgs& args) { pack(gemm::avx2::engine, args); }
void avx512::conv2d(const KernelArgs& args) { run(gemm::avx512::engine, args); }
void avx512::conv2d_pack(const KernelArgs& args) { pack(gemm::avx512::engine, args); }

}  // namespace fastcnn

#include "ops/picture_rows.h"

#include <cstring>

namespace fastcnn {
namespace {

// Windows across the edge are copied together when a row of them has at most this many floats.
constexpr std::int64_t kShortRun = 64;

}  // namespace

PictureRows::PictureRows(const Window2d& window, const Pictures& from, const Output& to, const float* zeros)
    : win_(window), from_(from), to_(to), zeros_(zeros), group_channels_(from.channels / from.groups) {
  const auto& [h, w] = win_;
  run_ = w.size * group_channels_;
  mergeable_ = from.groups == 1 && w.dilation == 1;
  copies_ = mergeable_ && w.size > 1 && run_ <= kShortRun;
  pointwise_ = h.size == 1 && w.size == 1 && h.before == 0 && h.after == 0 && w.before == 0 && w.after == 0;
  contiguous_ = pointwise_ && from.groups == 1 && h.stride == 1 && w.stride == 1;
}

std::int64_t PictureRows::zeros_bytes(const Window2d& window, std::int64_t group_channels) {
  return max_i64(1, window.w.size * group_channels) * static_cast<std::int64_t>(sizeof(float));
}

void PictureRows::rows(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const {
  const auto& [h, w] = win_;
  const std::int64_t picture_size = from_.height * from_.width * from_.channels;
  std::int64_t j = first % to_.width, i = first / to_.width % to_.height, n = first / to_.width / to_.height;

  Window window[gemm::kMaxTileRows];
  std::int64_t first_tap = h.size, last_tap = 0;
  bool all_inside = true, all_whole = true;
  for (int r = 0; r < count; ++r) {
    const float* picture = from_.x + n * picture_size + group * group_channels_;
    const std::int64_t top = h.start(i), left = w.start(j);
    const bool inside = left >= 0 && left + w.extent() <= from_.width;
    const bool whole = top >= 0 && top + h.extent() <= from_.height;
    window[r] = {picture + (top * from_.width + left) * from_.channels, picture, top, left, inside};
    set.at[r] = n * to_.picture + i * to_.row + j * to_.pixel;
    all_inside &= inside;
    all_whole &= whole;
    first_tap = min_i64(first_tap, whole ? 0 : h.first_tap(i));
    last_tap = max_i64(last_tap, whole ? h.size : h.last_tap(i, from_.height));
    if (++j == to_.width) {
      j = 0;
      if (++i == to_.height) i = 0, ++n;
    }
  }

  const bool merged = mergeable_ && (all_inside || copies_);  // a run is a whole row of the window
  const std::int64_t run_taps = merged ? 1 : w.size;
  set.depth = merged ? run_ : group_channels_;
  set.taps = max_i64(0, last_tap - first_tap) * run_taps;
  set.b_row = set.taps > 0 ? first_tap * run_ : 0;

  const float** a = set.a;
  float* copy = set.scratch;
  for (std::int64_t kh = first_tap; kh < last_tap; ++kh) {
    const std::int64_t down = kh * h.dilation;
    for (std::int64_t kw = 0; kw < run_taps; ++kw) {
      const std::int64_t right = kw * w.dilation, step = (down * from_.width + right) * from_.channels;
      if (all_inside && all_whole) {
        for (int r = 0; r < count; ++r) *a++ = window[r].start + step;
        continue;
      }
      for (int r = 0; r < count; ++r) {
        const std::int64_t row = window[r].top + down, column = window[r].left + right;
        if (row < 0 || row >= from_.height || (!merged && (column < 0 || column >= from_.width))) {
          *a++ = zeros_;
        } else if (!merged || window[r].inside) {
          *a++ = window[r].start + step;
        } else {
          *a++ = copy;
          copy = copy_run(window[r], row, copy);
        }
      }
    }
  }
}

// One row of a window that crosses the left or right edge, with its zeros.
float* PictureRows::copy_run(const Window& window, std::int64_t row, float* to) const {
  const std::int64_t begin = max_i64(0, -window.left), end = min_i64(win_.w.size, from_.width - window.left);
  std::memset(to, 0, static_cast<std::size_t>(run_) * sizeof(float));
  if (begin < end)
    std::memcpy(to + begin * from_.channels,
                window.picture + (row * from_.width + window.left + begin) * from_.channels,
                static_cast<std::size_t>((end - begin) * from_.channels) * sizeof(float));
  return to + run_;
}

}  // namespace fastcnn

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
  step_ = w.stride * from.channels;
  mergeable_ = from.groups == 1 && w.dilation == 1;
  copies_ = mergeable_ && w.size > 1 && w.stride <= w.size && run_ <= kShortRun;
  pointwise_ = h.size == 1 && w.size == 1 && h.before == 0 && h.after == 0 && w.before == 0 && w.after == 0;
  contiguous_ = pointwise_ && from.groups == 1 && h.stride == 1 && w.stride == 1;
  same_ = pointwise_ && h.stride == 1 && w.stride == 1 && to.width == from.width && to.height == from.height &&
          to.row == to.width * to.pixel && to.picture == to.height * to.row;
}

std::int64_t PictureRows::zeros_bytes(const Window2d& window, std::int64_t group_channels) {
  return max_i64(1, window.w.size * group_channels) * static_cast<std::int64_t>(sizeof(float));
}

// Rows of A that are pixels.
void PictureRows::pixels(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const {
  set.taps = 1;
  set.depth = group_channels_;
  set.b_row = 0;
  const float* a = from_.x + first * from_.channels + group * group_channels_;
  for (int r = 0; r < count; ++r) {
    set.a[r] = a + r * from_.channels;
    set.at[r] = (first + r) * to_.pixel;
  }
  set.even = true;
}

void PictureRows::rows(std::int64_t group, std::int64_t first, int count, gemm::RowSet& set) const {
  if (same_) return pixels(group, first, count, set);
  const auto& [h, w] = win_;
  const std::int64_t picture_size = from_.height * from_.width * from_.channels;
  std::int64_t j = first % to_.width, i = first / to_.width % to_.height, n = first / to_.width / to_.height;

  Neighbours found[gemm::kMaxTileRows];
  int neighbours = 0;
  std::int64_t first_tap = h.size, last_tap = 0;
  bool all_inside = true;
  for (int r = 0; r < count; ++neighbours) {
    const int size = static_cast<int>(min_i64(count - r, to_.width - j));
    const std::int64_t left = w.start(j), top = h.start(i);
    const bool inside = left >= 0 && left + (size - 1) * w.stride + w.extent() <= from_.width;
    found[neighbours] = {r, size, from_.x + n * picture_size + group * group_channels_, top, left, inside};
    const bool whole = top >= 0 && top + h.extent() <= from_.height;
    first_tap = min_i64(first_tap, whole ? 0 : h.first_tap(i));
    last_tap = max_i64(last_tap, whole ? h.size : h.last_tap(i, from_.height));
    all_inside &= inside;
    const std::int64_t to = n * to_.picture + i * to_.row + j * to_.pixel;
    for (int k = 0; k < size; ++k) set.at[r + k] = to + k * to_.pixel;
    r += size;
    j = 0;
    if (++i == to_.height) i = 0, ++n;
  }

  const bool merged = mergeable_ && (all_inside || copies_);  // a run is a whole row of the window
  const std::int64_t run_taps = merged ? 1 : w.size;
  set.depth = merged ? run_ : group_channels_;
  set.taps = max_i64(0, last_tap - first_tap) * run_taps;
  set.b_row = set.taps > 0 ? first_tap * run_ : 0;
  set.even = neighbours == 1 && (all_inside || merged);
  const bool first_two = set.even && count > gemm::kMaxRows;  // the others follow at the same distance

  const float** a = set.a;
  float* copy = set.scratch;
  for (std::int64_t kh = first_tap; kh < last_tap; ++kh, a += run_taps * count)
    for (int f = 0; f < neighbours; ++f) {
      const Neighbours& windows = found[f];
      const std::int64_t row = windows.top + kh * h.dilation;
      const bool inside = row >= 0 && row < from_.height;
      const float* start = windows.picture + (row * from_.width + windows.left) * from_.channels;
      if (merged && inside && !windows.inside) {
        start = copy;
        copy = copy_span(windows, row, copy);
      }
      for (std::int64_t kw = 0; kw < run_taps; ++kw) {
        const float** to = a + kw * count + windows.first;
        const float* from = start + kw * w.dilation * from_.channels;
        for (int k = 0; k < (first_two ? 2 : windows.count); ++k) {
          const std::int64_t column = windows.left + k * w.stride + kw * w.dilation;
          const bool there = inside && (merged || windows.inside || (column >= 0 && column < from_.width));
          to[k] = there ? from + k * step_ : zeros_;
        }
      }
    }
}

std::int64_t PictureRows::stretch(std::int64_t group, std::int64_t first, std::int64_t count, gemm::Stretch& to) const {
  const auto& [h, w] = win_;
  const std::int64_t j = first % to_.width, i = first / to_.width % to_.height, n = first / to_.width / to_.height;
  if (!same_) count = min_i64(count, to_.width - j);
  const float* picture = from_.x + n * from_.height * from_.width * from_.channels + group * group_channels_;
  const std::int64_t top = h.start(i), left = w.start(j);
  const bool inside = left >= 0 && left + (count - 1) * w.stride + w.extent() <= from_.width;
  const Neighbours windows{0, static_cast<int>(count), picture, top, left, inside || same_};
  const std::int64_t first_tap = h.first_tap(i), last_tap = h.last_tap(i, from_.height);
  to.taps = max_i64(0, last_tap - first_tap);
  to.depth = run_;
  to.b_row = to.taps > 0 ? first_tap * run_ : 0;
  to.a_row = step_;
  to.c_row = to_.pixel;
  to.at = n * to_.picture + i * to_.row + j * to_.pixel;
  float* copy = to.scratch;
  for (std::int64_t tap = 0; tap < to.taps; ++tap) {
    const std::int64_t row = top + (first_tap + tap) * h.dilation;
    to.a[tap] = windows.inside ? picture + (row * from_.width + left) * from_.channels : copy;
    if (!windows.inside) copy = copy_span(windows, row, copy);
  }
  return count;
}

// What the windows read of one row of the picture, with the zeros beside it.
float* PictureRows::copy_span(const Neighbours& windows, std::int64_t row, float* to) const {
  const std::int64_t pixels = (windows.count - 1) * win_.w.stride + win_.w.size;
  const std::int64_t begin = min_i64(pixels, max_i64(0, -windows.left));
  const std::int64_t end = max_i64(begin, min_i64(pixels, from_.width - windows.left));
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count * from_.channels) * sizeof(float);
  };
  std::memset(to, 0, bytes(begin));
  std::memcpy(to + begin * from_.channels,
              windows.picture + (row * from_.width + windows.left + begin) * from_.channels, bytes(end - begin));
  std::memset(to + end * from_.channels, 0, bytes(pixels - end));
  return to + pixels * from_.channels;
}

}  // namespace fastcnn

// How the weight gradient of pictures in bfloat16 is cut (conv2d_weight_gradient_bf16.cpp). For baseline files.
#pragma once

#include <utility>

#include "gemm/bf16_pixels.h"
#include "gemm/gemm.h"
#include "gemm/split.h"
#include "ops/conv2d/conv2d.h"

namespace fastcnn::weight_gradient_bf16 {

using gemm::EvenParts;

inline constexpr std::int64_t kStrip = gemm::kSplitTiles * gemm::kSplitRows;  // channels of A, or of B, a product has
inline constexpr std::int64_t kTileFloats = gemm::kSplitTileBytes / static_cast<std::int64_t>(sizeof(float));
inline constexpr std::int64_t kProductFloats = gemm::kSplitTiles * gemm::kSplitTiles * kTileFloats;

inline std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }
inline std::int64_t tiles_of(std::int64_t channels) {
  return min_i64(gemm::kSplitTiles, ceil_div(channels, gemm::kSplitRows));
}

// Tap t of output o reads pixel stride (o + shift) + remainder.
struct TapAxis {
  const WindowAxis& axis;
  std::int64_t first = 0, last = 0;  // shifts

  explicit TapAxis(const WindowAxis& window) : axis(window) { first = shift(0), last = shift(axis.size - 1); }
  std::int64_t at(std::int64_t t) const { return t * axis.dilation - axis.before; }
  std::int64_t shift(std::int64_t t) const { return floor_div(at(t), axis.stride); }
  std::int64_t remainder(std::int64_t t) const { return at(t) - shift(t) * axis.stride; }
  std::int64_t reach() const { return last - first; }
  // Tap t's remainder as one of those that occur, in the order in which they do.
  std::int64_t remainder_index(std::int64_t t) const {
    std::int64_t index = 0;
    for (std::int64_t i = 0; remainder(i) != remainder(t); ++i) index += is_first(i);
    return index;
  }
  bool is_first(std::int64_t t) const {
    for (std::int64_t i = 0; i < t; ++i)
      if (remainder(i) == remainder(t)) return false;
    return true;
  }
  std::int64_t remainders() const {
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < axis.size; ++t) count += is_first(t);
    return count;
  }
};

// Few channels would leave most of a register empty: windows become pixels with as many channels as they have numbers.
inline bool gathers(const Conv2dParams& p) {
  constexpr std::int64_t kFewChannels = 4, kMostNumbers = 32;  // of a row of a window
  return p.groups == 1 && p.window.h.size * p.window.w.size > 1 && p.window.w.dilation == 1 &&
         p.channels <= kFewChannels && p.window.w.size * p.channels <= kMostNumbers &&
         p.window.h.size <= gemm::kMostWindowRows;
}
inline constexpr WindowAxis kPixel{};

// How the problem is cut, all by its shape.
struct Grid {
  const Conv2dParams& p;
  bool gathered;
  bool swapped;  // A is x, B is dy
  std::int64_t pictures, x_height, x_width, height, width;
  TapAxis h, w;
  std::int64_t taps, remainders;
  std::int64_t a_channels, b_channels;           // of a group
  std::int64_t row_parts = 0, column_parts = 0;  // of a picture of the result: a segment is one of each
  EvenParts rows, columns;                       // these parts
  std::int64_t segment_a = 0, segment_b = 0;     // most pixels of A (of one remainder) and of B
  std::int64_t in_block = 0;                     // segments
  EvenParts blocks, chunks{0, 0};                // segments into blocks, blocks into chunks
  std::int64_t strips = 0, panels = 0;
  EvenParts strip_parts{0, 0}, panel_parts{0, 0};

  Grid(const Problem& problem, std::int64_t pixels)
      : p(problem.as<Conv2dParams>()),
        gathered(gathers(p)),
        swapped(false),
        pictures(problem.inputs[0].shape[0]),
        x_height(problem.inputs[0].shape[1]),
        x_width(problem.inputs[0].shape[2]),
        height(problem.inputs[1].shape[1]),
        width(problem.inputs[1].shape[2]),
        h(gathered ? kPixel : p.window.h),
        w(gathered ? kPixel : p.window.w),
        taps(h.axis.size * w.axis.size),
        remainders(h.remainders() * w.remainders()),
        a_channels(p.group_filters()),
        b_channels(p.group_channels() * (gathered ? p.window.h.size * p.window.w.size : 1)),
        rows(0, 0),
        columns(0, 0),
        blocks(0, 0) {
    if (p.group_channels() * p.group_filters() * height * width * pictures == 0) return;
    const bool in_place = taps == 1 && x_height == height && x_width == width && h.at(0) == 0 && w.at(0) == 0;
    // Pixels meet themselves, or their windows: all are one row.
    if (gathered || (in_place && h.axis.stride == 1 && w.axis.stride == 1)) {
      swapped = a_channels > b_channels;
      if (swapped) std::swap(a_channels, b_channels);
      x_width = width = pictures * height * width;
      pictures = x_height = height = 1;
    }
    column_parts = ceil_div(width, pixels);
    columns = EvenParts(width, column_parts);
    const std::int64_t pitch = most(columns) + w.reach();
    row_parts = ceil_div(height, max_i64(1, pixels / pitch));
    rows = EvenParts(height, row_parts);
    segment_a = round_up(most(rows) * pitch, gemm::kSplitDepth);
    segment_b = segment_a + round_up(h.reach() * pitch + w.reach(), gemm::kSplitDepth);
    const std::int64_t segments = pictures * row_parts * column_parts;
    in_block = max_i64(1, pixels / segment_a);
    blocks = EvenParts(segments, ceil_div(segments, in_block));
    strips = ceil_div(a_channels, kStrip);
    panels = ceil_div(b_channels, kStrip);
    const std::int64_t channels = taps == 1 ? gemm::kBf16OuterChannels : gemm::kBf16OuterTapChannels;
    strip_parts = EvenParts(strips, ceil_div(a_channels, channels));
    panel_parts = EvenParts(panels, ceil_div(b_channels, channels));
    const std::int64_t fewest =
        ceil_div(gemm::kSplitOuterTasks, max_i64(1, strip_parts.count * panel_parts.count * p.groups));
    const std::int64_t room = gemm::kOuterBytes / max_i64(1, sums() * p.groups * 4);
    chunks = EvenParts(blocks.count, max_i64(1, min_i64(min_i64(room, blocks.count), fewest)));
  }
  static std::int64_t most(const EvenParts& parts) { return parts.size + (parts.larger > 0); }
  std::int64_t tasks() const { return chunks.count * strip_parts.count * panel_parts.count * p.groups; }
  // Floats of the sums of a group and chunk.
  std::int64_t sums() const { return taps * strips * panels * kProductFloats; }

  // Bytes of a task: of a strip of A; of a tile's channels of B, from even and from odd pixels on.
  std::int64_t strip_bytes() const {
    return most(blocks) * segment_a / gemm::kSplitDepth * gemm::kSplitTiles * gemm::kSplitTileBytes;
  }
  std::int64_t parities() const { return taps == 1 ? 1 : 2; }
  std::int64_t pairs_bytes() const {
    return most(blocks) * remainders * segment_b / gemm::kSplitDepth * gemm::kSplitTileBytes;
  }
  std::int64_t column_bytes() const { return parities() * pairs_bytes(); }
  std::int64_t pointers() const { return segment_b + 2; }
  // Of windows that are pixels, numbers from one to the next.
  std::int64_t window_pitch() const {
    return gathered ? round_up(p.channels * p.window.h.size * p.window.w.size, gemm::kSplitDepth) : 0;
  }
};

}  // namespace fastcnn::weight_gradient_bf16

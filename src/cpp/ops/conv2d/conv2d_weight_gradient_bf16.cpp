// Computes   conv2d's weight gradient from pictures that are stored in bfloat16: for each tap a product of matrices,
// the
//            terms of its sums being the pixels.
// Layout     x and dy NHWC. Pixels of a segment of the result - some rows of a picture, or a part of them - are
// numbered
//            with as many columns between rows as windows reach beyond them, where dy counts as zero. Then a tap meets
//            the pixels of x at one distance: those are turned once (gemm/bf16_pixels.h), and tiles of A start where
//            the tap says. With strides the pixels of x are dealt out to as many pictures, of one remainder each.
// Tile       2 x 2 tiles of C (gemm/gemm_amx.cpp).
// Why        nothing is copied for each tap. A strip and a panel of a block stay in L1 while all taps use them.
// Needs      AMX. A window of one pixel takes as A what has fewer channels, since turning costs more than pairing.
// Accuracy   gemm/gemm_amx.cpp: products are exact, sums in float32: of blocks, then of chunks of them.
#include <cstring>
#include <utility>

#include "core/bf16.h"
#include "core/thread_pool.h"
#include "gemm/bf16_pixels.h"
#include "gemm/gemm.h"
#include "gemm/split.h"
#include "ops/conv2d/conv2d_gradients.h"

#if FC_X86
namespace fastcnn {
namespace {

using gemm::EvenParts, gemm::SplitRun, gemm::SplitEngine;
using gemm::kBf16OuterChannels, gemm::kBf16OuterPixels, gemm::kBf16OuterTapChannels, gemm::kBf16OuterTapPixels;
using gemm::kOuterBytes, gemm::kSplitOuterTasks;
using gemm::kSplitColumns, gemm::kSplitDepth, gemm::kSplitRows, gemm::kSplitTileBytes, gemm::kSplitTiles;

constexpr std::int64_t kStrip = kSplitTiles * kSplitRows;  // channels of A, or of B, that are multiplied at a time
constexpr std::int64_t kTileFloats = kSplitTileBytes / static_cast<std::int64_t>(sizeof(float));
constexpr std::int64_t kProductFloats = kSplitTiles * kSplitTiles * kTileFloats;
constexpr std::int64_t kItem = sizeof(Bf16);

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }
std::int64_t tiles_of(std::int64_t channels) { return min_i64(kSplitTiles, ceil_div(channels, kSplitRows)); }

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

// How the problem is cut, all by its shape.
struct Grid {
  const Conv2dParams& p;
  bool swapped;  // A is dy, B is x
  std::int64_t pictures, x_height, x_width, height, width;
  TapAxis h, w;
  std::int64_t taps, remainders;
  std::int64_t a_channels, b_channels;   // of a group
  std::int64_t row_parts, column_parts;  // of a picture of the result: a segment is one of each
  EvenParts rows, columns;               // these parts
  std::int64_t segment_a, segment_b;     // most pixels of A (of one remainder) and of B
  std::int64_t in_block;                 // segments
  EvenParts blocks, chunks{0, 0};        // segments into blocks, blocks into chunks
  std::int64_t strips, panels;
  EvenParts strip_parts{0, 0}, panel_parts{0, 0};

  explicit Grid(const Problem& problem)
      : p(problem.as<Conv2dParams>()),
        swapped(false),
        pictures(problem.inputs[0].shape[0]),
        x_height(problem.inputs[0].shape[1]),
        x_width(problem.inputs[0].shape[2]),
        height(problem.inputs[1].shape[1]),
        width(problem.inputs[1].shape[2]),
        h(p.window.h),
        w(p.window.w),
        taps(p.window.h.size * p.window.w.size),
        remainders(h.remainders() * w.remainders()),
        a_channels(p.group_channels()),
        b_channels(p.group_filters()),
        rows(0, 0),
        columns(0, 0),
        blocks(0, 0) {
    if (p.group_channels() * p.group_filters() * height * width * pictures == 0) return;
    const bool in_place = taps == 1 && x_height == height && x_width == width && h.at(0) == 0 && w.at(0) == 0;
    if (in_place && h.axis.stride == 1 && w.axis.stride == 1) {  // pixels meet themselves: all are one row
      swapped = a_channels > b_channels;
      if (swapped) std::swap(a_channels, b_channels);
      x_width = width = pictures * height * width;
      pictures = x_height = height = 1;
    }
    // Few pixels a block, so that a strip and a panel of it stay in L1 for all taps; more where there is one.
    const std::int64_t pixels = taps == 1 ? kBf16OuterPixels : kBf16OuterTapPixels;
    column_parts = ceil_div(width, pixels);
    columns = EvenParts(width, column_parts);
    const std::int64_t pitch = most(columns) + w.reach();
    row_parts = ceil_div(height, max_i64(1, pixels / pitch));
    rows = EvenParts(height, row_parts);
    segment_b = round_up(most(rows) * pitch, kSplitDepth);
    segment_a = segment_b + round_up(h.reach() * pitch + w.reach(), kSplitDepth);
    const std::int64_t segments = pictures * row_parts * column_parts;
    in_block = max_i64(1, pixels / segment_b);
    blocks = EvenParts(segments, ceil_div(segments, in_block));
    strips = ceil_div(a_channels, kStrip);
    panels = ceil_div(b_channels, kStrip);
    const std::int64_t channels = taps == 1 ? kBf16OuterChannels : kBf16OuterTapChannels;
    strip_parts = EvenParts(strips, ceil_div(a_channels, channels));
    panel_parts = EvenParts(panels, ceil_div(b_channels, channels));
    const std::int64_t fewest =
        ceil_div(kSplitOuterTasks, max_i64(1, strip_parts.count * panel_parts.count * p.groups));
    const std::int64_t room = kOuterBytes / max_i64(1, sums() * p.groups * 4);
    chunks = EvenParts(blocks.count, max_i64(1, min_i64(min_i64(room, blocks.count), fewest)));
  }
  static std::int64_t most(const EvenParts& parts) { return parts.size + (parts.larger > 0); }
  std::int64_t tasks() const { return chunks.count * strip_parts.count * panel_parts.count * p.groups; }
  // Floats of the sums of a group and chunk.
  std::int64_t sums() const { return taps * strips * panels * kProductFloats; }

  // Bytes of a task: A's rows are an odd number of lines apart, lest a tile's fall on few sets of L1.
  std::int64_t a_pitch() const { return (most(blocks) * remainders * segment_a * kItem / 64 | 1) * 64; }
  std::int64_t a_bytes() const { return most(strip_parts) * kStrip * a_pitch() + 64; }
  std::int64_t panel_bytes() const { return most(blocks) * segment_b / kSplitDepth * kSplitTiles * kSplitTileBytes; }
  std::int64_t pointers() const { return max_i64(segment_a, segment_b); }
};

class Task {
 public:
  Task(const Grid& grid, const KernelArgs& args, void* memory)
      : grid_(grid),
        a_(static_cast<unsigned char*>(memory)),
        b_(a_ + grid.a_bytes()),
        zeros_(b_ + GridBytes(grid).b),
        pixels_(reinterpret_cast<const void**>(zeros_ + GridBytes(grid).zeros)),
        runs_(reinterpret_cast<SplitRun*>(pixels_ + grid.pointers())),
        pitches_(reinterpret_cast<std::int64_t*>(runs_ + Grid::most(grid.blocks))),
        x_(args.in[0].as<Bf16>()),
        dy_(args.in[1].as<Bf16>()),
        sums_(static_cast<float*>(args.workspace)) {
    std::memset(zeros_, 0, static_cast<std::size_t>(GridBytes(grid).zeros));
  }
  static std::int64_t bytes(const Grid& grid) {
    const GridBytes bytes(grid);
    return grid.a_bytes() + bytes.b + bytes.zeros + grid.pointers() * static_cast<std::int64_t>(sizeof(void*)) +
           Grid::most(grid.blocks) * static_cast<std::int64_t>(sizeof(SplitRun) + sizeof(std::int64_t));
  }

  void compute(std::int64_t task) {
    const auto take = [&](const EvenParts& parts) {
      const std::int64_t part = task % parts.count;
      task /= parts.count;
      return part;
    };
    const std::int64_t strip_part = take(grid_.strip_parts), panel_part = take(grid_.panel_parts);
    const std::int64_t chunk = take(grid_.chunks);
    group_ = task;
    strips_ = {grid_.strip_parts.begin(strip_part), grid_.strip_parts.begin(strip_part + 1)};
    panels_ = {grid_.panel_parts.begin(panel_part), grid_.panel_parts.begin(panel_part + 1)};
    sums_ += (chunk * grid_.p.groups + group_) * grid_.sums();
    const std::int64_t first = grid_.chunks.begin(chunk);
    engine_.configure(kSplitRows);
    for (std::int64_t block = first; block < grid_.chunks.begin(chunk + 1); ++block) {
      lay_out(block);
      multiply(block > first);
    }
    engine_.release();
  }

 private:
  struct Range {
    std::int64_t begin, end;
  };
  struct GridBytes {
    std::int64_t b, zeros;
    explicit GridBytes(const Grid& grid)
        : b(Grid::most(grid.panel_parts) * grid.panel_bytes()),
          zeros(round_up(max_i64(Grid::most(grid.strip_parts), Grid::most(grid.panel_parts)) * kStrip * kItem, 64)) {}
  };
  // Where a segment lies in the result.
  struct Segment {
    std::int64_t picture, row, rows, column, columns, pitch;
  };

  Segment segment(std::int64_t index) const {
    const std::int64_t c = index % grid_.column_parts, r = index / grid_.column_parts % grid_.row_parts;
    Segment s;
    s.picture = index / grid_.column_parts / grid_.row_parts;
    s.row = grid_.rows.begin(r), s.rows = grid_.rows.begin(r + 1) - s.row;
    s.column = grid_.columns.begin(c), s.columns = grid_.columns.begin(c + 1) - s.column;
    s.pitch = s.columns + grid_.w.reach();
    return s;
  }

  // The tiles of a block's segments.
  void lay_out(std::int64_t block) {
    const std::int64_t first = grid_.blocks.begin(block);
    num_segments_ = grid_.blocks.begin(block + 1) - first;
    steps_ = 0;
    for (std::int64_t k = 0; k < num_segments_; ++k) {
      const Segment s = segment(first + k);
      pitches_[k] = s.pitch;
      runs_[k].steps = ceil_div((s.rows - 1) * s.pitch + s.columns, kSplitDepth);
      for (std::int64_t i = 0, index = 0; i < grid_.h.axis.size; ++i)
        for (std::int64_t j = 0; grid_.h.is_first(i) && j < grid_.w.axis.size; ++j)
          if (grid_.w.is_first(j)) turn(s, i, j, (k * grid_.remainders + index++) * grid_.segment_a);
      pair(s, steps_, runs_[k].steps);
      steps_ += runs_[k].steps;
    }
  }

  // Channels of x, or of dy where they are swapped, that pixels of A meet; from pixel `at` of A on.
  void turn(const Segment& s, std::int64_t tap_h, std::int64_t tap_w, std::int64_t at) {
    const std::int64_t filled = grid_.swapped ? find_result(s) : find_picture(s, tap_h, tap_w);
    const std::int64_t channel = strips_.begin * kStrip;
    gemm::avx512::turn_pixels({.pixels = pixels_,
                               .offset = 0,
                               .channels = min_i64(strips_.end * kStrip, grid_.a_channels) - channel,
                               .steps = filled / kSplitDepth,
                               .out = a_ + at * kItem},
                              grid_.a_pitch());
  }

  void pair(const Segment& s, std::int64_t first_step, std::int64_t steps) {
    grid_.swapped ? find_picture(s, 0, 0) : find_result(s);
    for (std::int64_t panel = panels_.begin; panel < panels_.end; ++panel) {
      const std::int64_t channels = min_i64(kStrip, grid_.b_channels - panel * kStrip), tiles = tiles_of(channels);
      gemm::avx512::pair_pixels({.pixels = pixels_,
                                 .offset = (panel - panels_.begin) * kStrip,
                                 .channels = channels,
                                 .steps = steps,
                                 .out = panel_of(panel) + first_step * tiles * kSplitTileBytes},
                                tiles);
    }
  }

  // The channels of dy from the part's first on, of a segment's pixels in order; how many, whole steps.
  std::int64_t find_result(const Segment& s) {
    const std::int64_t first = grid_.swapped ? strips_.begin : panels_.begin;
    const Bf16* from = dy_ + group_ * grid_.p.group_filters() + first * kStrip;
    std::int64_t k = 0;
    for (std::int64_t i = 0; i < s.rows; ++i) {
      const Bf16* pixel = from + ((s.picture * grid_.height + s.row + i) * grid_.width + s.column) * grid_.p.filters;
      for (std::int64_t j = 0; j < s.columns; ++j) pixels_[k++] = pixel + j * grid_.p.filters;
      for (std::int64_t j = s.columns; j < s.pitch; ++j) pixels_[k++] = zeros_;
    }
    return fill(k);
  }

  // Those of x that have the remainder of a tap.
  std::int64_t find_picture(const Segment& s, std::int64_t tap_h, std::int64_t tap_w) {
    const auto &h = grid_.h, &w = grid_.w;
    const std::int64_t left = (s.column + w.first) * w.axis.stride + w.remainder(tap_w);
    const std::int64_t before = min_i64(s.pitch, left < 0 ? ceil_div(-left, w.axis.stride) : 0);
    const std::int64_t room = max_i64(0, grid_.x_width - left);
    const std::int64_t inside = max_i64(before, min_i64(s.pitch, ceil_div(room, w.axis.stride)));
    const std::int64_t channel = (grid_.swapped ? panels_.begin : strips_.begin) * kStrip;
    const Bf16* from = x_ + group_ * grid_.p.group_channels() + channel;
    std::int64_t k = 0;
    for (std::int64_t i = 0; i < s.rows + h.reach(); ++i) {
      const std::int64_t row = (s.row + i + h.first) * h.axis.stride + h.remainder(tap_h);
      const bool exists = row >= 0 && row < grid_.x_height;
      const std::int64_t begin = exists ? before : s.pitch, end = exists ? inside : s.pitch;
      const Bf16* pixels = from + ((s.picture * grid_.x_height + row) * grid_.x_width + left) * grid_.p.channels;
      std::int64_t j = 0;
      for (; j < begin; ++j) pixels_[k++] = zeros_;
      for (; j < end; ++j) pixels_[k++] = pixels + j * w.axis.stride * grid_.p.channels;
      for (; j < s.pitch; ++j) pixels_[k++] = zeros_;
    }
    return fill(k);
  }

  // Zeros after the last pixel: whole steps, and what tiles of the last taps read beyond.
  std::int64_t fill(std::int64_t k) {
    while (k < grid_.pointers()) pixels_[k++] = zeros_;
    return k;
  }

  void multiply(bool accumulate) {
    for (std::int64_t strip = strips_.begin; strip < strips_.end; ++strip)
      for (std::int64_t panel = panels_.begin; panel < panels_.end; ++panel)
        for (std::int64_t i = 0, tap = 0; i < grid_.h.axis.size; ++i)
          for (std::int64_t j = 0; j < grid_.w.axis.size; ++j, ++tap) {
            aim(strip, i, j);
            engine_.multiply({.runs = runs_,
                              .num_runs = static_cast<int>(num_segments_),
                              .row_stride = grid_.a_pitch(),
                              .part_stride = 0,
                              .step_stride = kSplitDepth * kItem,
                              .b = panel_of(panel),
                              .next = nullptr,
                              .next_bytes = 0,
                              .row_tiles = static_cast<int>(tiles_of(grid_.a_channels - strip * kStrip)),
                              .column_tiles = static_cast<int>(tiles_of(grid_.b_channels - panel * kStrip)),
                              .accumulate = accumulate,
                              .c = sums_ + ((tap * grid_.strips + strip) * grid_.panels + panel) * kProductFloats});
          }
  }

  // The runs of a strip for a tap.
  void aim(std::int64_t strip, std::int64_t i, std::int64_t j) {
    const unsigned char* rows = a_ + (strip - strips_.begin) * kStrip * grid_.a_pitch();
    const std::int64_t index = grid_.h.remainder_index(i) * grid_.w.remainders() + grid_.w.remainder_index(j);
    const std::int64_t right = grid_.w.shift(j) - grid_.w.first, down = grid_.h.shift(i) - grid_.h.first;
    for (std::int64_t k = 0; k < num_segments_; ++k) {
      const std::int64_t at = (k * grid_.remainders + index) * grid_.segment_a + down * pitches_[k] + right;
      const unsigned char* a = rows + at * kItem;
      runs_[k].a[0] = a;
      runs_[k].a[1] = a + kSplitRows * grid_.a_pitch();
    }
  }

  unsigned char* panel_of(std::int64_t panel) const { return b_ + (panel - panels_.begin) * grid_.panel_bytes(); }

  const Grid& grid_;
  const SplitEngine& engine_ = gemm::amx::bf16;
  unsigned char *a_, *b_, *zeros_;
  const void** pixels_;
  SplitRun* runs_;         // a segment of the block each
  std::int64_t* pitches_;  // of these
  const Bf16 *x_, *dy_;
  float* sums_;
  std::int64_t group_ = 0, num_segments_ = 0, steps_ = 0;
  Range strips_{}, panels_{};
};

// Adds up the chunks' tiles of a strip and panel and puts them where they belong.
void finish(const Grid& grid, const float* sums, std::int64_t index, float* dw) {
  const std::int64_t panel = index % grid.panels, strip = index / grid.panels % grid.strips;
  const std::int64_t tap = index / grid.panels / grid.strips % grid.taps;
  const std::int64_t group = index * kProductFloats / grid.sums(), filters = grid.p.filters;
  const std::int64_t row_tiles = tiles_of(grid.a_channels - strip * kStrip);
  const std::int64_t column_tiles = tiles_of(grid.b_channels - panel * kStrip);
  const std::int64_t stride = grid.sums() * grid.p.groups;
  for (std::int64_t t = 0; t < row_tiles * column_tiles; ++t) {
    const float* tile = sums + index * kProductFloats + t * kTileFloats;
    const std::int64_t a = strip * kStrip + t / column_tiles * kSplitRows;
    const std::int64_t b = panel * kStrip + t % column_tiles * kSplitColumns;
    const std::int64_t rows = min_i64(kSplitRows, grid.a_channels - a);
    const std::int64_t columns = min_i64(kSplitColumns, grid.b_channels - b);
    float* to = dw + tap * grid.p.group_channels() * filters + group * grid.p.group_filters();
    if (grid.swapped) {
      gemm::amx::bf16.turn({tile, stride, grid.chunks.count, rows, columns, to + b * filters + a, filters});
      continue;
    }
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        float sum = 0;
        for (std::int64_t k = 0; k < grid.chunks.count; ++k) sum += tile[k * stride + r * kSplitColumns + c];
        to[(a + r) * filters + b + c] = sum;
      }
  }
}

}  // namespace

std::int64_t conv2d_weight_gradient_bf16_workspace(const Problem& problem) {
  const Grid grid(problem);
  return grid.chunks.count * grid.p.groups * grid.sums() * static_cast<std::int64_t>(sizeof(float));
}

void amx::conv2d_weight_gradient_bf16(const KernelArgs& args) {
  const Grid grid(args.problem);
  float* const dw = args.out[0].as<float>();
  const std::int64_t size = args.out[0].shape().size();
  if (grid.blocks.count == 0) std::memset(dw, 0, static_cast<std::size_t>(size) * sizeof(float));
  if (grid.blocks.count == 0 || size == 0) return;
  parallel_for(grid.tasks(), Task::bytes(grid),
               [&](std::int64_t task, void* memory) { Task(grid, args, memory).compute(task); });
  parallel_for(grid.p.groups * grid.sums() / kProductFloats,
               [&](std::int64_t index) { finish(grid, static_cast<const float*>(args.workspace), index, dw); });
}

}  // namespace fastcnn

#endif  // FC_X86

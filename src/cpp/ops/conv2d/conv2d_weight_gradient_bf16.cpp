// Computes   conv2d's weight gradient from pictures that are stored in bfloat16: for each tap a product of matrices,
//            the terms of its sums being the pixels.
// Layout     x and dy NHWC. Pixels of a segment of the result - some rows of a picture, or a part of them - are
//            numbered with as many columns between rows as windows reach beyond them, where dy counts as zero. Then a
//            tap meets the pixels of x at one distance. With strides those are dealt out to as many pictures, of one
//            remainder each. dy's channels are turned into rows of A, x is paired into rows of B (gemm/bf16_pixels.h).
// Tile       2 x 2 tiles of C (gemm/gemm_amx.cpp), or 8 x 32 numbers of it (gemm/gemm_avx512bf16.cpp).
// Why        each tap's tiles are those of another pair of pixels: nothing is laid out anew for a tap, at the cost of
//            pairing twice, from even and from odd pixels on. Turning costs more than pairing: where windows are
//            pixels, what has fewer channels is turned. Windows of up to 4 channels are gathered to be such pixels.
// Needs      AMX or AVX512-BF16.
// Accuracy   those files: products are exact, sums in float32: of blocks, then of chunks of them.
#include <algorithm>
#include <cstring>

#include "core/bf16.h"
#include "core/thread_pool.h"
#include "gemm/ahead.h"
#include "gemm/bf16_pixels.h"
#include "ops/conv2d/conv2d_gradients.h"
#include "ops/conv2d/weight_gradient_bf16_grid.h"

#if FC_X86
namespace fastcnn {
namespace {

using namespace weight_gradient_bf16;
using gemm::Ahead, gemm::SplitEngine, gemm::SplitRun;
using gemm::kSplitColumns, gemm::kSplitDepth, gemm::kSplitRowBytes, gemm::kSplitRows, gemm::kSplitTileBytes;
using gemm::kSplitTiles;

constexpr std::int64_t kItem = sizeof(Bf16);

class Task {
 public:
  Task(const Grid& grid, const SplitEngine& engine, const KernelArgs& args, void* memory)
      : grid_(grid),
        engine_(engine),
        a_(static_cast<unsigned char*>(memory)),
        b_(a_ + GridBytes(grid).a),
        zeros_(b_ + GridBytes(grid).b),
        gathered_(reinterpret_cast<Bf16*>(zeros_ + GridBytes(grid).zeros)),
        pixels_(reinterpret_cast<const void**>(zeros_ + GridBytes(grid).zeros + GridBytes(grid).gathered)),
        runs_(reinterpret_cast<SplitRun*>(pixels_ + grid.pointers())),
        pitches_(reinterpret_cast<std::int64_t*>(runs_ + Grid::most(grid.blocks))),
        xs_(args.in[0].shape()),
        ys_(args.in[1].shape()),
        x_(args.in[0].as<Bf16>()),
        dy_(args.in[1].as<Bf16>()),
        sums_(static_cast<float*>(args.workspace)) {
    std::memset(zeros_, 0, static_cast<std::size_t>(GridBytes(grid).zeros));
  }
  static std::int64_t bytes(const Grid& grid) {
    const GridBytes bytes(grid);
    return bytes.a + bytes.b + bytes.zeros + bytes.gathered +
           grid.pointers() * static_cast<std::int64_t>(sizeof(void*)) +
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
      if (block + 1 < grid_.chunks.begin(chunk + 1)) look_ahead(block + 1);
      multiply(block > first);
    }
    engine_.release();
  }

 private:
  struct Range {
    std::int64_t begin, end;
  };
  struct GridBytes {
    std::int64_t a, b, zeros, gathered;
    explicit GridBytes(const Grid& grid)
        : a(Grid::most(grid.strip_parts) * grid.strip_bytes()),
          b(Grid::most(grid.panel_parts) * kSplitTiles * grid.column_bytes()),
          zeros(round_up(max_i64(Grid::most(grid.strip_parts), Grid::most(grid.panel_parts)) * kStrip * kItem, 64)),
          gathered(grid.segment_b * grid.window_pitch() * kItem) {}
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
    std::int64_t first_step = 0;
    for (std::int64_t k = 0; k < num_segments_; ++k) {
      const Segment s = segment(first + k);
      pitches_[k] = s.pitch;
      runs_[k].steps = ceil_div((s.rows - 1) * s.pitch + s.columns, kSplitDepth);
      turn(s, first_step, runs_[k].steps);
      first_step += runs_[k].steps;
      for (std::int64_t i = 0, index = 0; i < grid_.h.axis.size; ++i)
        for (std::int64_t j = 0; grid_.h.is_first(i) && j < grid_.w.axis.size; ++j)
          if (grid_.w.is_first(j)) pair(s, i, j, k * grid_.remainders + index++);
    }
  }

  void turn(const Segment& s, std::int64_t first_step, std::int64_t steps) {
    grid_.swapped ? find_picture(s, 0, 0) : find_result(s);
    gemm::avx512::turn_pixels({.pixels = pixels_,
                               .offset = 0,
                               .channels = min_i64(strips_.end * kStrip, grid_.a_channels) - strips_.begin * kStrip,
                               .steps = steps,
                               .out = a_ + first_step * kSplitTiles * kSplitTileBytes},
                              grid_.strip_bytes());
  }

  // Of the picture of a tap's remainder, the `index`th of the block.
  void pair(const Segment& s, std::int64_t tap_h, std::int64_t tap_w, std::int64_t index) {
    grid_.swapped ? find_result(s) : find_picture(s, tap_h, tap_w);
    const std::int64_t first = panels_.begin * kStrip, end = min_i64(panels_.end * kStrip, grid_.b_channels);
    for (std::int64_t parity = 0; parity < grid_.parities(); ++parity)
      gemm::avx512::pair_pixels({.pixels = pixels_ + parity,
                                 .offset = 0,
                                 .channels = end - first,
                                 .steps = grid_.segment_b / kSplitDepth,
                                 .out = pairs_of(first) + parity * grid_.pairs_bytes() +
                                        index * grid_.segment_b / kSplitDepth * kSplitTileBytes},
                                grid_.column_bytes());
  }

  // The pixels of dy and x of a block's segments, which follow each other unless rows are cut.
  void look_ahead(std::int64_t block) {
    const Segment first = segment(grid_.blocks.begin(block)), last = segment(grid_.blocks.begin(block + 1) - 1);
    const std::int64_t products = (strips_.end - strips_.begin) * (panels_.end - panels_.begin) * grid_.taps;
    std::int64_t steps = 0;
    for (std::int64_t k = 0; k < num_segments_; ++k) steps += runs_[k].steps;
    steps_ = steps;
    const auto range = [&](const Bf16* from, std::int64_t begin, std::int64_t end, const Range& part,
                           std::int64_t group_channels, std::int64_t channels) {
      const std::int64_t channel = part.begin * kStrip;
      return Ahead(from + begin * channels + group_ * group_channels + channel, end - begin,
                   min_i64((part.end - part.begin) * kStrip, group_channels - channel), channels, kItem,
                   products * steps / 2);
    };
    const Range &of_x = grid_.swapped ? strips_ : panels_, &of_dy = grid_.swapped ? panels_ : strips_;
    const auto pixel = [&](const Segment& s, std::int64_t row, std::int64_t column) {
      return (s.picture * grid_.height + row) * grid_.width + column;
    };
    const auto pixel_of_x = [&](const Segment& s, std::int64_t row, std::int64_t column) {
      row = min_i64(grid_.x_height - 1, max_i64(0, row * grid_.h.axis.stride));
      return (s.picture * grid_.x_height + row) * grid_.x_width +
             min_i64(grid_.x_width - 1, column * grid_.w.axis.stride);
    };
    const std::int64_t last_row = last.row + last.rows - 1, last_column = last.column + last.columns - 1;
    ahead_[0] = range(dy_, pixel(first, first.row, first.column), pixel(last, last_row, last_column) + 1, of_dy,
                      grid_.p.group_filters(), grid_.p.filters);
    if (grid_.gathered) return;
    ahead_[1] = range(x_, pixel_of_x(first, first.row + grid_.h.last, first.column),
                      pixel_of_x(last, last_row + grid_.h.last, last_column) + 1, of_x, grid_.p.group_channels(),
                      grid_.p.channels);
  }

  // The channels of dy from the part's first on, of a segment's pixels in order.
  void find_result(const Segment& s) {
    const std::int64_t first = grid_.swapped ? panels_.begin : strips_.begin;
    const Bf16* from = dy_ + group_ * grid_.p.group_filters() + first * kStrip;
    std::int64_t k = 0;
    for (std::int64_t i = 0; i < s.rows; ++i) {
      const Bf16* pixel = from + ((s.picture * grid_.height + s.row + i) * grid_.width + s.column) * grid_.p.filters;
      for (std::int64_t j = 0; j < s.columns; ++j) pixels_[k++] = pixel + j * grid_.p.filters;
      for (std::int64_t j = s.columns; j < s.pitch; ++j) pixels_[k++] = zeros_;
    }
    fill(k);
  }

  // Those of x that have the remainder of a tap.
  void find_picture(const Segment& s, std::int64_t tap_h, std::int64_t tap_w) {
    if (grid_.gathered) return find_windows(s);
    const auto &h = grid_.h, &w = grid_.w;
    const std::int64_t left = (s.column + w.first) * w.axis.stride + w.remainder(tap_w);
    const std::int64_t before = min_i64(s.pitch, left < 0 ? ceil_div(-left, w.axis.stride) : 0);
    const std::int64_t room = max_i64(0, grid_.x_width - left);
    const std::int64_t inside = max_i64(before, min_i64(s.pitch, ceil_div(room, w.axis.stride)));
    const std::int64_t channel = (grid_.swapped ? strips_.begin : panels_.begin) * kStrip;
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
    fill(k);
  }

  void find_windows(const Segment& s) {
    const std::int64_t pitch = grid_.window_pitch();
    gemm::avx512::gather_windows({x_, xs_[1], xs_[2], xs_[3], grid_.p.window, ys_[1], ys_[2]}, s.column, s.columns,
                                 gathered_, pitch);
    const Bf16* from = gathered_ + (grid_.swapped ? strips_.begin : panels_.begin) * kStrip;
    for (std::int64_t k = 0; k < s.columns; ++k) pixels_[k] = from + k * pitch;
    fill(s.columns);
  }

  // Zeros after the last pixel: whole steps, and what tiles of the last taps read beyond.
  void fill(std::int64_t k) {
    while (k < grid_.pointers()) pixels_[k++] = zeros_;
  }

  void multiply(bool accumulate) {
    for (std::int64_t strip = strips_.begin; strip < strips_.end; ++strip)
      for (std::int64_t panel = panels_.begin; panel < panels_.end; ++panel)
        for (std::int64_t i = 0, tap = 0; i < grid_.h.axis.size; ++i)
          for (std::int64_t j = 0; j < grid_.w.axis.size; ++j, ++tap) {
            aim(strip, panel, i, j);
            const Ahead ahead = gemm::take(ahead_, steps_);
            engine_.multiply({.runs = runs_,
                              .num_runs = static_cast<int>(num_segments_),
                              .row_stride = kSplitRowBytes,
                              .part_stride = 0,
                              .step_stride = kSplitTiles * kSplitTileBytes,
                              .b = nullptr,
                              .b_tile_stride = grid_.column_bytes(),
                              .b_step_stride = kSplitTileBytes,
                              .next = ahead.next,
                              .next_bytes = ahead.piece,
                              .next_skip = ahead.skip,
                              .row_tiles = static_cast<int>(tiles_of(grid_.a_channels - strip * kStrip)),
                              .column_tiles = static_cast<int>(tiles_of(grid_.b_channels - panel * kStrip)),
                              .tile_rows = kSplitRows,
                              .accumulate = accumulate,
                              .c = sums_ + ((tap * grid_.strips + strip) * grid_.panels + panel) * kProductFloats});
          }
  }

  // The runs of a strip and panel for a tap.
  void aim(std::int64_t strip, std::int64_t panel, std::int64_t i, std::int64_t j) {
    const unsigned char* a = a_ + (strip - strips_.begin) * grid_.strip_bytes();
    const unsigned char* b = pairs_of(panel * kStrip);
    const std::int64_t index = grid_.h.remainder_index(i) * grid_.w.remainders() + grid_.w.remainder_index(j);
    const std::int64_t right = grid_.w.shift(j) - grid_.w.first, down = grid_.h.shift(i) - grid_.h.first;
    for (std::int64_t k = 0; k < num_segments_; ++k) {
      const std::int64_t shift = down * pitches_[k] + right;
      const std::int64_t pairs = (k * grid_.remainders + index) * grid_.segment_b / 2 + shift / 2;
      runs_[k].a[0] = a;
      runs_[k].a[1] = a + kSplitTileBytes;
      runs_[k].b = b + shift % 2 * grid_.pairs_bytes() + pairs * kSplitRowBytes;
      a += runs_[k].steps * kSplitTiles * kSplitTileBytes;
    }
  }

  // Of a tile's channels from the first of a group, `channel`, on.
  unsigned char* pairs_of(std::int64_t channel) const {
    return b_ + (channel / kSplitColumns - panels_.begin * kSplitTiles) * grid_.column_bytes();
  }

  const Grid& grid_;
  const SplitEngine& engine_;
  unsigned char *a_, *b_, *zeros_;
  Bf16* gathered_;  // windows of a segment
  const void** pixels_;
  SplitRun* runs_;         // a segment of the block each
  std::int64_t* pitches_;  // of these
  const Shape &xs_, &ys_;
  const Bf16 *x_, *dy_;
  float* sums_;
  std::int64_t group_ = 0, num_segments_ = 0;
  std::int64_t steps_ = 0;  // of the block
  Range strips_{}, panels_{};
  Ahead ahead_[2];
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
    if (!grid.swapped) {
      gemm::avx512bf16::turn({tile, stride, grid.chunks.count, rows, columns, to + b * filters + a, filters});
      continue;
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      float row[kSplitColumns] = {};
      for (std::int64_t k = 0; k < grid.chunks.count; ++k)
        for (int c = 0; c < kSplitColumns; ++c) row[c] += tile[k * stride + r * kSplitColumns + c];
      std::copy_n(row, columns, to + (a + r) * filters + b);
    }
  }
}

}  // namespace

template <const SplitEngine& engine, const gemm::Bf16OuterBlocking& blocking>
const char* Bf16WeightGradient<engine, blocking>::declines(const Problem& problem) {
  if (problem.inputs[0].dtype != DType::BF16) return "the pictures are not stored in bfloat16";
  constexpr std::int64_t kMostPixels = 32 * 1024;
  return Grid(problem, blocking.pixels).segment_b > kMostPixels ? "windows reach too far" : nullptr;
}

template <const SplitEngine& engine, const gemm::Bf16OuterBlocking& blocking>
const char* Bf16WeightGradient<engine, blocking>::yields(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const bool few = min_i64(p.group_channels(), p.group_filters()) < blocking.channels;
  return few && !gathers(p) && p.window.h.size * p.window.w.size > 1 ? "most of each register would be empty" : nullptr;
}

template <const SplitEngine& engine, const gemm::Bf16OuterBlocking& blocking>
std::int64_t Bf16WeightGradient<engine, blocking>::workspace(const Problem& problem) {
  const Grid grid(problem, blocking.pixels);
  return grid.chunks.count * grid.p.groups * grid.sums() * static_cast<std::int64_t>(sizeof(float));
}

template <const SplitEngine& engine, const gemm::Bf16OuterBlocking& blocking>
void Bf16WeightGradient<engine, blocking>::run(const KernelArgs& args) {
  const Grid grid(args.problem, blocking.pixels);
  float* const dw = args.out[0].as<float>();
  const std::int64_t size = args.out[0].shape().size();
  if (grid.blocks.count == 0) std::memset(dw, 0, static_cast<std::size_t>(size) * sizeof(float));
  if (grid.blocks.count == 0 || size == 0) return;
  parallel_for(grid.tasks(), Task::bytes(grid),
               [&](std::int64_t task, void* memory) { Task(grid, engine, args, memory).compute(task); });
  parallel_for(grid.p.groups * grid.sums() / kProductFloats,
               [&](std::int64_t index) { finish(grid, static_cast<const float*>(args.workspace), index, dw); });
}

template struct Bf16WeightGradient<gemm::amx::bf16, gemm::kAmxBf16Outer>;
template struct Bf16WeightGradient<gemm::avx512bf16::bf16, gemm::kAvx512Bf16Outer>;

}  // namespace fastcnn

#endif  // FC_X86

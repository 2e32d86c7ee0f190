// The loops around the kernels of split.h for sums of outer products: C of one tap, turned, is B^T A, channels of b by
// channels of a. So what is split anew for each tap, the pixels of `a`, is the factor that needs no turning.
#include "gemm/split_outer.h"

#include <cstring>

#include "core/thread_pool.h"
#include "gemm/ahead.h"
#include "gemm/gemm.h"

namespace fastcnn::gemm {
namespace {

constexpr std::int64_t kStrip = kSplitTiles * kSplitRows;  // channels of b, or of a, that are multiplied at a time
constexpr std::int64_t kTileFloats = kSplitTileBytes / static_cast<std::int64_t>(sizeof(float));
constexpr std::int64_t kProductFloats = kSplitTiles * kSplitTiles * kTileFloats;
static_assert(kSplitRows == kSplitColumns);

std::int64_t tiles_of(std::int64_t channels) { return min_i64(kSplitTiles, ceil_div(channels, kSplitRows)); }

// How a product is cut, by its shape: pixels of b into blocks and these into chunks; its channels (the strips) and
// those of a (the panels) into parts; a task has a chunk, a part of each and a row of the window, or all of them.
struct SplitOuterGrid {
  std::int64_t pixels, channels, filters;  // of b; of a group
  std::int64_t taps_h, taps_w;
  EvenParts blocks, chunks{0, 0}, tap_parts{0, 0}, strip_parts{0, 0}, panel_parts{0, 0};
  std::int64_t strips, panels;

  SplitOuterGrid(const SplitEngine& engine, const OuterProduct& p)
      : pixels(p.pictures * p.b.height * p.b.width),
        channels(p.a.channels / p.groups),
        filters(p.b.channels / p.groups),
        taps_h(p.window.h.size),
        taps_w(p.window.w.size),
        blocks(pixels, ceil_div(pixels, kSplitOuterPixels[engine.parts - 1])),
        strips(ceil_div(filters, kStrip)),
        panels(ceil_div(channels, kStrip)) {
    strip_parts = {strips, max_i64(1, ceil_div(filters, kSplitOuterRows))};
    panel_parts = {panels, max_i64(1, ceil_div(channels, kSplitOuterRows))};
    tap_parts = {taps_h, 1};
    chunks = {blocks.count, 1};
    const std::int64_t most = min_i64(pixels / kSplitOuterChunk, kOuterBytes / max_i64(1, sums() * 4 * p.groups));
    const auto lacking = [&] { return ceil_div(kSplitOuterTasks, max_i64(1, tasks() * p.groups)); };
    if (most > 1) chunks = {blocks.count, min_i64(min_i64(most, blocks.count), lacking())};
    if (lacking() > 1) tap_parts = {taps_h, taps_h};
  }
  std::int64_t tasks() const { return chunks.count * tap_parts.count * strip_parts.count * panel_parts.count; }
  // Floats of the sums of one group.
  std::int64_t sums() const { return taps_h * taps_w * strips * panels * kProductFloats; }
  static std::int64_t most(const EvenParts& parts) { return parts.size + (parts.larger > 0); }
  std::int64_t block_pixels() const { return round_up(most(blocks), kSplitDepth); }
};

class SplitOuterWorker {
 public:
  SplitOuterWorker(const SplitEngine& engine, const OuterProduct& p, const SplitOuterGrid& grid, float* sums,
                   void* scratch)
      : engine_(engine), p_(p), grid_(grid), sums_(sums), strips_(static_cast<unsigned char*>(scratch)) {
    panel_ = strips_ + OuterBytes(engine, grid).strips;
    zeros_ = reinterpret_cast<float*>(panel_ + OuterBytes(engine, grid).panel);
    std::memset(zeros_, 0, kSplitOuterRows * sizeof(float) * 2);
    pixels_ = reinterpret_cast<const float**>(zeros_ + kSplitOuterRows * 2);
  }
  static std::int64_t scratch_bytes(const SplitEngine& engine, const SplitOuterGrid& grid) {
    const OuterBytes bytes(engine, grid);
    return bytes.strips + bytes.panel + kSplitOuterRows * 2 * 4 +
           grid.block_pixels() * static_cast<std::int64_t>(sizeof(float*));
  }

  void compute(std::int64_t task) {
    const auto take = [&](const EvenParts& parts) {
      const std::int64_t part = task % parts.count;
      task /= parts.count;
      return Range{part, parts.begin(part), parts.begin(part + 1)};
    };
    const Range strips = take(grid_.strip_parts), panels = take(grid_.panel_parts), taps = take(grid_.tap_parts);
    const Range chunk = take(grid_.chunks);
    group_ = task;
    sums_ += (chunk.index * p_.groups + group_) * grid_.sums();
    engine_.configure(kSplitRows);
    for (std::int64_t block = chunk.begin; block < chunk.end; ++block) {
      first_ = grid_.blocks.begin(block);
      count_ = grid_.blocks.begin(block + 1) - first_;
      steps_ = ceil_div(count_, kSplitDepth);
      split_strips(strips);
      if (block + 1 < chunk.end) look_ahead(block + 1, strips, panels, taps);
      for (std::int64_t tap_h = taps.begin; tap_h < taps.end; ++tap_h)
        for (std::int64_t tap_w = 0; tap_w < grid_.taps_w; ++tap_w)
          multiply(tap_h, tap_w, strips, panels, block > chunk.begin);
    }
    engine_.release();
  }

 private:
  struct Range {
    std::int64_t index, begin, end;
  };
  struct OuterBytes {
    std::int64_t strips, panel;
    OuterBytes(const SplitEngine& engine, const SplitOuterGrid& grid)
        : panel(grid.block_pixels() / kSplitDepth * engine.parts * kSplitTiles * kSplitTileBytes) {
      strips = SplitOuterGrid::most(grid.strip_parts) * panel;
    }
  };

  // Pixels' channels from `first` on into `tiles` tiles a step and part.
  void split(std::int64_t first, std::int64_t channels, bool turned, unsigned char* to) const {
    const std::int64_t tiles = tiles_of(channels);
    for (std::int64_t t = 0; t < tiles; ++t)
      engine_.layout.split_pixels({.pixels = pixels_,
                                   .offset = first + t * kSplitRows,
                                   .channels = min_i64(kSplitRows, channels - t * kSplitRows),
                                   .steps = steps_,
                                   .part_stride = tiles * kSplitTileBytes,
                                   .turned = turned,
                                   .out = to + t * kSplitTileBytes});
  }
  std::int64_t strip_bytes() const { return steps_ * engine_.parts * kSplitTiles * kSplitTileBytes; }

  void split_strips(const Range& strips) {
    const float* b = p_.b.data + first_ * p_.b.channels + group_ * grid_.filters + strips.begin * kStrip;
    for (std::int64_t k = 0; k < steps_ * kSplitDepth; ++k) pixels_[k] = k < count_ ? b + k * p_.b.channels : zeros_;
    for (std::int64_t strip = strips.begin; strip < strips.end; ++strip)
      split((strip - strips.begin) * kStrip, grid_.filters - strip * kStrip, true,
            strips_ + (strip - strips.begin) * strip_bytes());
  }

  // The pixels of b of a block, and those of `a` that the last row of its windows meets.
  void look_ahead(std::int64_t block, const Range& strips, const Range& panels, const Range& taps) {
    const std::int64_t first = grid_.blocks.begin(block), last = grid_.blocks.begin(block + 1) - 1;
    const std::int64_t products =
        (taps.end - taps.begin) * grid_.taps_w * (strips.end - strips.begin) * (panels.end - panels.begin);
    const std::int64_t b = group_ * grid_.filters + strips.begin * kStrip;
    const std::int64_t a = group_ * grid_.channels + panels.begin * kStrip;
    const auto pixel_of_a = [&](std::int64_t pixel) {
      const auto& [h, w] = p_.window;
      const std::int64_t row = pixel / p_.b.width, column = pixel % p_.b.width * w.stride;
      const std::int64_t a_row = max_i64(0, h.start(row % p_.b.height) + (taps.end - 1) * h.dilation);
      return (row / p_.b.height * p_.a.height + min_i64(a_row, p_.a.height - 1)) * p_.a.width +
             min_i64(column, p_.a.width - 1);
    };
    const std::int64_t from = pixel_of_a(first), pixels = max_i64(0, pixel_of_a(last) + 1 - from);
    ahead_[0] = Ahead(p_.b.data + first * p_.b.channels + b, last + 1 - first,
                      min_i64((strips.end - strips.begin) * kStrip, grid_.filters - strips.begin * kStrip),
                      p_.b.channels, sizeof(float), products * steps_ / 2);
    ahead_[1] = Ahead(p_.a.data + from * p_.a.channels + a, pixels,
                      min_i64((panels.end - panels.begin) * kStrip, grid_.channels - panels.begin * kStrip),
                      p_.a.channels, sizeof(float), products * steps_ / 2);
  }

  // The pixels of `a`, its channels from `channel` on, that a tap meets; zeros outside the picture.
  void find_pixels(std::int64_t tap_h, std::int64_t tap_w, std::int64_t channel) {
    const auto& [h, w] = p_.window;
    const float* a = p_.a.data + group_ * grid_.channels + channel;
    for (std::int64_t k = count_; k < steps_ * kSplitDepth; ++k) pixels_[k] = zeros_;
    for (std::int64_t k = 0; k < count_;) {
      const std::int64_t row = (first_ + k) / p_.b.width, j = (first_ + k) % p_.b.width;
      const std::int64_t end = min_i64(count_, k + p_.b.width - j);
      const std::int64_t a_row = h.start(row % p_.b.height) + tap_h * h.dilation;
      const float* from = a + (row / p_.b.height * p_.a.height + a_row) * p_.a.width * p_.a.channels;
      const bool inside = a_row >= 0 && a_row < p_.a.height;
      for (std::int64_t column = w.start(j) + tap_w * w.dilation; k < end; ++k, column += w.stride)
        pixels_[k] = inside && column >= 0 && column < p_.a.width ? from + column * p_.a.channels : zeros_;
    }
  }

  void multiply(std::int64_t tap_h, std::int64_t tap_w, const Range& strips, const Range& panels, bool accumulate) {
    find_pixels(tap_h, tap_w, panels.begin * kStrip);
    const std::int64_t tap = tap_h * grid_.taps_w + tap_w;
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const std::int64_t channels = grid_.channels - panel * kStrip;
      split((panel - panels.begin) * kStrip, channels, false, panel_);
      for (std::int64_t strip = strips.begin; strip < strips.end; ++strip) {
        const Ahead ahead = take(ahead_, steps_);
        const int row_tiles = static_cast<int>(tiles_of(grid_.filters - strip * kStrip));
        const unsigned char* a = strips_ + (strip - strips.begin) * strip_bytes();
        const SplitRun run{{a, a + (row_tiles - 1) * kSplitTileBytes}, steps_};
        engine_.multiply({.runs = &run,
                          .num_runs = 1,
                          .row_stride = kSplitRowBytes,
                          .part_stride = row_tiles * std::int64_t{kSplitTileBytes},
                          .step_stride = engine_.parts * row_tiles * std::int64_t{kSplitTileBytes},
                          .b = panel_,
                          .next = ahead.next,
                          .next_bytes = ahead.piece,
                          .next_skip = ahead.skip,
                          .row_tiles = row_tiles,
                          .column_tiles = static_cast<int>(tiles_of(channels)),
                          .tile_rows = kSplitRows,
                          .accumulate = accumulate,
                          .c = sums_ + ((tap * grid_.panels + panel) * grid_.strips + strip) * kProductFloats});
      }
    }
  }

  const SplitEngine& engine_;
  const OuterProduct& p_;
  const SplitOuterGrid& grid_;
  float* sums_;
  unsigned char *strips_, *panel_;
  float* zeros_;
  const float** pixels_;
  std::int64_t group_ = 0, first_ = 0, count_ = 0, steps_ = 0;  // of the block
  Ahead ahead_[2];
};

// Adds up the chunks' tiles of one panel and strip and puts them where they belong in C.
void finish(const OuterProduct& p, const SplitOuterGrid& grid, const float* sums, std::int64_t index) {
  const std::int64_t strip = index % grid.strips, panel = index / grid.strips % grid.panels;
  const std::int64_t tap = index / grid.strips / grid.panels % (grid.taps_h * grid.taps_w);
  const std::int64_t group = index * kProductFloats / grid.sums();
  const std::int64_t filters = grid.filters - strip * kStrip, channels = grid.channels - panel * kStrip;
  const std::int64_t row_tiles = tiles_of(filters), column_tiles = tiles_of(channels);
  for (std::int64_t t = 0; t < row_tiles * column_tiles; ++t) {
    const std::int64_t row = t / column_tiles * kSplitRows, column = t % column_tiles * kSplitColumns;
    avx512bf16::turn({.tiles = sums + index * kProductFloats + t * kTileFloats,
                      .stride = grid.sums() * p.groups,
                      .count = grid.chunks.count,
                      .rows = min_i64(kSplitRows, filters - row),
                      .columns = min_i64(kSplitColumns, channels - column),
                      .to = p.c + (tap * grid.channels + panel * kStrip + column) * p.b.channels +
                            group * grid.filters + strip * kStrip + row,
                      .to_stride = p.b.channels});
  }
}

}  // namespace

std::int64_t workspace(const SplitEngine& engine, const OuterProduct& product) {
  const SplitOuterGrid grid(engine, product);
  return grid.chunks.count * product.groups * grid.sums() * static_cast<std::int64_t>(sizeof(float));
}

void multiply(const SplitEngine& engine, const OuterProduct& p, void* workspace) {
  const SplitOuterGrid grid(engine, p);
  const std::int64_t size = grid.taps_h * grid.taps_w * grid.channels * p.b.channels;
  if (grid.pixels == 0) std::memset(p.c, 0, static_cast<std::size_t>(size) * sizeof(float));
  if (grid.pixels == 0 || size == 0) return;
  auto* const sums = static_cast<float*>(workspace);
  parallel_for(
      grid.tasks() * p.groups, SplitOuterWorker::scratch_bytes(engine, grid),
      [&](std::int64_t task, void* scratch) { SplitOuterWorker(engine, p, grid, sums, scratch).compute(task); });
  parallel_for(p.groups * grid.sums() / kProductFloats, [&](std::int64_t index) { finish(p, grid, sums, index); });
}

const char* yields(const SplitEngine& engine, const OuterProduct& p) {
  const SplitOuterLeast& least = kSplitOuterLeast[engine.parts - 1];
  const std::int64_t channels = p.a.channels / p.groups, filters = p.b.channels / p.groups;
  if (min_i64(channels, filters) < least.channels) return "too few channels for AMX tiles";
  if (channels * filters * p.window.h.size * p.window.w.size < least.products)
    return "splitting the pixels would cost more than their products";
  if (p.pictures * p.b.height * p.b.width < kSplitDepth) return "too few pixels for AMX tiles";
  return nullptr;
}

}  // namespace fastcnn::gemm

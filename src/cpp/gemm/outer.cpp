// The loops around the micro-kernel of outer products: which part of the result, which pixels, who computes it.
#include "gemm/outer.h"

#include <cstring>
#include <utility>

#include "core/thread_pool.h"
#include "gemm/gemm.h"

namespace fastcnn::gemm {
namespace {

constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
constexpr std::int64_t kSumSize = 16384;  // floats of C that a task adds up
// Registers between strips, and between panels: pixels of all of them are written in turn, which must not compete for
// a set of the cache, as they do a power of two apart.
constexpr std::int64_t kApart = 1;

// A product as it is computed.
struct FlatProduct : OuterProduct {
  bool turned = false;  // a and b are exchanged: C, of a single tap, comes out turned
};

// A window that is one pixel, each where b has one: the pictures are one long row. There either may be a, which is
// read in place; b is packed, so it is the one with few channels.
FlatProduct flattened(const OuterProduct& product) {
  FlatProduct p{product};
  const auto& [h, w] = p.window;
  if (h.size == 1 && w.size == 1 && h.stride == 1 && w.stride == 1 && h.before == 0 && w.before == 0 &&
      p.a.height == p.b.height && p.a.width == p.b.width) {
    p.a.width = p.b.width = p.pictures * p.b.height * p.b.width;
    p.a.height = p.b.height = p.pictures = 1;
    p.turned = p.groups == 1 && p.a.channels < min_i64(p.b.channels, kOuterRows);
    if (p.turned) std::swap(p.a, p.b);
  }
  return p;
}

// How a product is cut, by its shape. Pixels come in stretches of a row of b; a block is some of them, a chunk some
// blocks; a task has one chunk and one part of the taps, the rows and the columns of C.
struct OuterGrid {
  bool windows;                         // a row of the window is a single, long tap
  bool in_place;                        // each pixel of `a` is of one tap: the first tiles read it where it lies
  std::int64_t taps_h, taps_w;          // of C, as this cuts it
  std::int64_t rows, columns, filters;  // of C for one tap and group; columns of all groups
  std::int64_t step;                    // pixels of `a` from one that is packed to the next
  EvenParts stretches{0, 0};            // in a row
  EvenParts blocks{0, 0};               // of stretches
  EvenParts chunks{0, 0};               // of blocks
  EvenParts tap_parts{0, 0}, row_parts{0, 0}, vector_parts{0, 0};
  std::int64_t width;

  OuterGrid(const OuterEngine& engine, const OuterProduct& p) : width(engine.blocking.width) {
    const auto& [h, w] = p.window;
    const std::int64_t channels = p.a.channels / p.groups;
    windows = channels < kOuterFewChannels && w.size > 1 && w.dilation == 1 && p.groups == 1;
    in_place = !windows && w.stride >= w.extent();
    taps_h = h.size;
    taps_w = windows ? 1 : w.size;
    rows = windows ? w.size * channels : channels;
    filters = p.b.channels;
    columns = filters / p.groups;
    step = w.size == 1 ? w.stride : 1;
    stretches = {p.b.width, max_i64(1, ceil_div(p.b.width, kOuterPixels))};
    const std::int64_t all = p.pictures * p.b.height * (p.b.width > 0 ? stretches.count : 0);
    blocks = {all, ceil_div(all, max_i64(1, kOuterPixels / max_i64(1, ceil_div(p.b.width, stretches.count))))};
    cut(p);
  }

  std::int64_t size() const { return taps_h * taps_w * rows * filters; }
  std::int64_t tasks(std::int64_t groups) const {
    return chunks.count * groups * tap_parts.count * row_parts.count * vector_parts.count;
  }
  // Pixels of `a` that are packed for a stretch.
  std::int64_t stretch_pixels(const OuterProduct& p) const {
    if (windows || step > 1) return most(stretches);
    return min_i64(p.a.width, (most(stretches) - 1) * p.window.w.stride + p.window.w.extent());
  }
  static std::int64_t most(const EvenParts& parts) { return parts.size + (parts.larger > 0); }

 private:
  void cut(const OuterProduct& p) {
    const std::int64_t vectors = ceil_div(columns, width);
    const std::int64_t pixels = p.pictures * p.b.height * p.b.width;
    const auto cut_rows = [&](std::int64_t parts) { row_parts = {rows, parts}; };
    const auto cut_columns = [&](std::int64_t parts) { vector_parts = {vectors, parts}; };
    cut_rows(max_i64(1, ceil_div(rows, kOuterRows)));
    cut_columns(max_i64(1, ceil_div(columns, kOuterColumns)));
    tap_parts = {taps_h, 1};
    chunks = {blocks.count, 1};
    const std::int64_t many = min_i64(pixels / kOuterChunk, kOuterBytes / max_i64(1, size() * kFloat));
    const auto lacking = [&] { return ceil_div(kOuterTasks, max_i64(1, tasks(p.groups))); };
    if (many > 1) chunks = {blocks.count, min_i64(many, lacking())};
    if (lacking() > 1) tap_parts = {taps_h, taps_h};
    while (lacking() > 1 && most(vector_parts) * width > kOuterLeastColumns) cut_columns(2 * vector_parts.count);
    while (lacking() > 1 && most(row_parts) > kOuterLeastRows) cut_rows(2 * row_parts.count);
  }
};

// Pixels' channels, at one distance.
struct Source {
  const float* from;
  std::int64_t step, pixels, channels;
};

// Calls in what comes next, as many lines at a time as a tile has pixels.
class Ahead {
 public:
  void clear() { count_ = taken_ = 0; }
  void add(const Source& source) {
    if (count_ < kMost) sources_[count_++] = source;
  }
  void take(OuterTile& tile, std::int64_t lines) {
    if (taken_ == count_) {
      tile.next = tile.a, tile.next_lines = 1, tile.next_step = 0;
      return;
    }
    Source& s = sources_[taken_];
    tile.next = s.from;
    tile.next_lines = ceil_div(s.channels, kLine);
    tile.next_step = s.step;
    const std::int64_t pixels = max_i64(1, lines / tile.next_lines);
    s.from += pixels * s.step;
    s.pixels -= pixels;
    if (s.pixels <= 0) ++taken_;
  }

 private:
  static constexpr int kMost = 64;
  static constexpr std::int64_t kLine = 64 / kFloat;
  Source sources_[kMost];
  int count_ = 0, taken_ = 0;
};

// The work of one task.
class OuterWorker {
 public:
  OuterWorker(const OuterEngine& engine, const OuterProduct& p, const OuterGrid& grid, float* sums, void* scratch)
      : engine_(engine), p_(p), grid_(grid), sums_(sums) {
    auto* bytes = static_cast<unsigned char*>(scratch);
    const auto take = [&](std::int64_t count) {
      unsigned char* taken = bytes;
      bytes += count;
      return taken;
    };
    strips_ = reinterpret_cast<float*>(take(strips_floats(engine, p, grid) * kFloat));
    panels_ = reinterpret_cast<float*>(take(panels_floats(grid) * kFloat));
    copy_ = reinterpret_cast<float*>(take(copy_floats(p, grid) * kFloat));
    stretches_ = reinterpret_cast<Stretch*>(take(OuterGrid::most(grid.blocks) * kStretch));
    runs_ = reinterpret_cast<OuterRun*>(take(0));
  }
  static std::int64_t scratch_bytes(const OuterEngine& engine, const OuterProduct& p, const OuterGrid& grid) {
    return (strips_floats(engine, p, grid) + panels_floats(grid) + copy_floats(p, grid)) * kFloat +
           OuterGrid::most(grid.blocks) * (kStretch + static_cast<std::int64_t>(sizeof(OuterRun)));
  }

  void compute(std::int64_t task) {
    const Part vectors(grid_.vector_parts, task), rows(grid_.row_parts, task), taps(grid_.tap_parts, task);
    group_ = task % p_.groups;
    task /= p_.groups;
    const Part chunk(grid_.chunks, task);
    sums_ += chunk.index * grid_.size();
    first_row_ = rows.begin, rows_ = rows.end - rows.begin;
    column_ = vectors.begin * grid_.width;
    columns_ = min_i64(vectors.end * grid_.width, grid_.columns) - column_;
    for (std::int64_t block = chunk.begin; block < chunk.end; ++block) {
      const std::int64_t first = grid_.blocks.begin(block), last = grid_.blocks.begin(block + 1);
      pack_panels(first, last);
      ahead_.clear();
      if (block + 1 < chunk.end) look_ahead(last, grid_.blocks.begin(block + 2), taps);
      for (std::int64_t tap_h = taps.begin; tap_h < taps.end; ++tap_h) {
        pack_strips(first, last, tap_h);
        for (std::int64_t tap_w = 0; tap_w < grid_.taps_w; ++tap_w) {
          find_runs(tap_w);
          multiply((tap_h * grid_.taps_w + tap_w) * grid_.rows, block > chunk.begin);
        }
      }
    }
  }

 private:
  // One part of those a task may have; takes it out of the task's number.
  struct Part {
    std::int64_t index, begin, end;
    Part(const EvenParts& parts, std::int64_t& task)
        : index(task % parts.count), begin(parts.begin(index)), end(parts.begin(index + 1)) {
      task /= parts.count;
    }
  };
  // Pixels [begin, end) of a row of b, of which a row of the window meets those of `a` from `column` on.
  struct Stretch {
    std::int64_t begin, end, column;
    // In floats, where they start in the strips or the copy, or their row in the picture; their row in the panels.
    std::int64_t a, b;
  };
  static constexpr auto kStretch = static_cast<std::int64_t>(sizeof(Stretch));

  static std::int64_t panels_floats(const OuterGrid& grid) {
    return (round_up(OuterGrid::most(grid.blocks) * OuterGrid::most(grid.stretches), 16) + kApart) *
           OuterGrid::most(grid.vector_parts) * grid.width;
  }
  static std::int64_t strips_floats(const OuterEngine& engine, const OuterProduct& p, const OuterGrid& grid) {
    if (grid.windows) return 0;
    return ceil_div(OuterGrid::most(grid.row_parts), engine.blocking.rows) *
           (OuterGrid::most(grid.blocks) * grid.stretch_pixels(p) + kApart) * grid.width;
  }
  // A row of the windows of all stretches, zeros beside the picture included.
  static std::int64_t copy_floats(const OuterProduct& p, const OuterGrid& grid) {
    const std::int64_t pixels = (OuterGrid::most(grid.stretches) - 1) * p.window.w.stride + p.window.w.size;
    return grid.windows ? round_up(OuterGrid::most(grid.blocks) * pixels * p.a.channels, 16) : 0;
  }

  std::int64_t pixel_of(std::int64_t stretch) const {
    const std::int64_t row = stretch / grid_.stretches.count, part = stretch % grid_.stretches.count;
    return row * p_.b.width + grid_.stretches.begin(part);
  }

  // The part of b of stretches [first, last).
  Source part_of_b(std::int64_t first, std::int64_t last) const {
    const std::int64_t pixel = pixel_of(first), channel = group_ * grid_.columns + column_;
    return {p_.b.data + pixel * p_.b.channels + channel, p_.b.channels, pixel_of(last) - pixel, columns_};
  }

  // The row of `a` that the row `tap_h` of the windows of a stretch meets; nullptr if there is none.
  const float* row_of_a(std::int64_t stretch, std::int64_t tap_h) const {
    const std::int64_t b_row = stretch / grid_.stretches.count;
    const std::int64_t row = p_.window.h.start(b_row % p_.b.height) + tap_h * p_.window.h.dilation;
    if (row < 0 || row >= p_.a.height) return nullptr;
    return p_.a.data + (b_row / p_.b.height * p_.a.height + row) * p_.a.width * p_.a.channels;
  }

  // The pixels of that row, from the first inside the picture that any of the taps meets up to the last.
  Source part_of_a(const float* a_row, const Stretch& s, std::int64_t& column) const {
    const WindowAxis& w = p_.window.w;
    const std::int64_t left = w.start(s.begin), right = w.start(s.end - 1) + w.extent() - 1;
    column = left >= 0 ? left : left + ceil_div(-left, grid_.step) * grid_.step;
    return {a_row + column * p_.a.channels + group_ * grid_.rows + first_row_, grid_.step * p_.a.channels,
            max_i64(0, (min_i64(right, p_.a.width - 1) - column + grid_.step) / grid_.step), rows_};
  }

  // The rows of `a` that come in with stretches [first, last), and their part of b.
  void look_ahead(std::int64_t first, std::int64_t last, const Part& taps) {
    ahead_.add(part_of_b(first, last));
    if (grid_.windows) return;
    for (std::int64_t stretch = first; stretch < last; ++stretch)
      for (std::int64_t tap_h = max_i64(taps.begin, taps.end - p_.window.h.stride); tap_h < taps.end; ++tap_h) {
        const float* a_row = row_of_a(stretch, tap_h);
        const std::int64_t part = stretch % grid_.stretches.count;
        const Stretch s{grid_.stretches.begin(part), grid_.stretches.begin(part + 1), 0, 0, 0};
        std::int64_t column;
        if (a_row != nullptr) ahead_.add(part_of_a(a_row, s, column));
      }
  }

  void pack_panels(std::int64_t first, std::int64_t last) {
    const Source b = part_of_b(first, last);
    panel_floats_ = b.pixels * engine_.blocking.vectors * grid_.width + kApart * grid_.width;
    engine_.pack_panels({b.from, b.step, b.pixels, b.channels, panels_, panel_floats_});
  }

  // What a row of the windows of stretches [first, last) holds, or where it is.
  void pack_strips(std::int64_t first, std::int64_t last, std::int64_t tap_h) {
    const WindowAxis& w = p_.window.w;
    const std::int64_t start = pixel_of(first);
    const EvenParts tiles(rows_, ceil_div(rows_, engine_.blocking.rows));
    strip_floats_ = (last - first) * grid_.stretch_pixels(p_) * grid_.width + kApart * grid_.width;
    std::int64_t packed = 0;
    count_ = 0;
    for (std::int64_t stretch = first; stretch < last; ++stretch) {
      const float* a_row = row_of_a(stretch, tap_h);
      if (a_row == nullptr) continue;
      const std::int64_t part = stretch % grid_.stretches.count;
      Stretch& s = stretches_[count_++];
      s = {grid_.stretches.begin(part), grid_.stretches.begin(part + 1), 0, packed, pixel_of(stretch) - start};
      if (grid_.windows) {
        const std::int64_t pixels = (s.end - s.begin - 1) * w.stride + w.size;
        copy_pixels(a_row, w.start(s.begin), pixels, copy_ + packed);
        packed += pixels * p_.a.channels;
        continue;
      }
      if (grid_.in_place) {
        s.a = a_row - p_.a.data;
        continue;
      }
      const Source a = part_of_a(a_row, s, s.column);
      engine_.pack_strips({.from = a.from,
                           .step = a.step,
                           .pixels = a.pixels,
                           .channels = a.channels,
                           .strips = tiles.count,
                           .rows = OuterGrid::most(tiles),
                           .first = tiles.larger > 0 ? tiles.larger : tiles.count,
                           .to = strips_ + packed,
                           .strip_floats = strip_floats_});
      packed += a.pixels * grid_.width;
    }
  }

  // `count` pixels of a row of `a`, zeros where it has none.
  void copy_pixels(const float* a_row, std::int64_t first, std::int64_t count, float* to) const {
    const std::int64_t begin = min_i64(count, max_i64(0, -first));
    const std::int64_t end = max_i64(begin, min_i64(count, p_.a.width - first)), channels = p_.a.channels;
    const auto bytes = [&](std::int64_t pixels) { return static_cast<std::size_t>(pixels * channels * kFloat); };
    std::memset(to, 0, bytes(begin));
    std::memcpy(to + begin * channels, a_row + (first + begin) * channels, bytes(end - begin));
    std::memset(to + end * channels, 0, bytes(count - end));
  }

  // The pixels that the tap finds inside the picture.
  void find_runs(std::int64_t tap_w) {
    const WindowAxis& w = p_.window.w;
    const std::int64_t offset = tap_w * w.dilation - w.before;
    const std::int64_t left = offset >= 0 ? 0 : ceil_div(-offset, w.stride);
    const std::int64_t right = offset >= p_.a.width ? 0 : (p_.a.width - 1 - offset) / w.stride + 1;
    tile_.count = 0;
    for (std::int64_t i = 0; i < count_; ++i) {
      const Stretch& s = stretches_[i];
      const std::int64_t begin = grid_.windows ? s.begin : max_i64(s.begin, left);
      const std::int64_t end = grid_.windows ? s.end : min_i64(s.end, right);
      const std::int64_t column = begin * w.stride + offset;
      const std::int64_t skipped = grid_.windows    ? 0
                                   : grid_.in_place ? column * p_.a.channels
                                                    : (column - s.column) / grid_.step * grid_.width;
      if (begin < end) runs_[tile_.count++] = {s.a + skipped, s.b + begin - s.begin, end - begin};
    }
  }

  // The same pixels in the strips that tiles have kept of them.
  void turn_to_strips() {
    std::int64_t pixel = 0;
    for (std::int64_t i = 0; i < tile_.count; ++i) {
      runs_[i].a = pixel * grid_.width;
      pixel += runs_[i].length;
    }
  }

  // All tiles of a tap: its rows of C from `tap_row` on.
  void multiply(std::int64_t tap_row, bool accumulate) {
    const std::int64_t panel_columns = engine_.blocking.vectors * grid_.width;
    const EvenParts tiles(rows_, ceil_div(rows_, engine_.blocking.rows));
    std::int64_t pixels = 0;
    for (std::int64_t i = 0; i < tile_.count; ++i) pixels += runs_[i].length;
    tile_.runs = runs_;
    tile_.c_stride = grid_.filters;
    tile_.accumulate = accumulate;
    tile_.kept_step = columns_ > panel_columns ? grid_.width : 0;
    for (std::int64_t first = 0; first < columns_; first += panel_columns) {
      const bool in_place = grid_.in_place && first == 0;
      if (grid_.in_place && first == panel_columns) turn_to_strips();
      const OuterTiles& kernels = in_place ? engine_.keeping : engine_.tile;
      tile_.a_step = in_place || grid_.windows ? p_.window.w.stride * p_.a.channels
                     : grid_.in_place          ? grid_.width
                                               : p_.window.w.stride / grid_.step * grid_.width;
      tile_.b = panels_ + first / panel_columns * panel_floats_;
      tile_.columns = min_i64(panel_columns, columns_ - first);
      const std::int64_t vectors = ceil_div(tile_.columns, grid_.width);
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        float* const strip = strips_ + i * strip_floats_;
        tile_.a = in_place        ? p_.a.data + group_ * grid_.rows + first_row_ + row
                  : grid_.windows ? copy_ + first_row_ + row
                                  : strip;
        tile_.kept = tile_.kept_step > 0 ? strip : strips_;
        tile_.c = sums_ + (tap_row + first_row_ + row) * grid_.filters + group_ * grid_.columns + column_ + first;
        ahead_.take(tile_, pixels);
        kernels.of[tiles.begin(i + 1) - row - 1][vectors - 1](tile_);
      }
    }
  }

  const OuterEngine& engine_;
  const OuterProduct& p_;
  const OuterGrid& grid_;
  float *sums_, *strips_, *panels_, *copy_;
  Stretch* stretches_;
  OuterRun* runs_;
  std::int64_t count_ = 0;  // of stretches that the row of the windows meets
  std::int64_t group_ = 0, first_row_ = 0, rows_ = 0, column_ = 0, columns_ = 0;  // of the task
  std::int64_t strip_floats_ = 0, panel_floats_ = 0;
  Ahead ahead_;
  OuterTile tile_{};
};

}  // namespace

std::int64_t workspace(const OuterEngine& engine, const OuterProduct& product) {
  const FlatProduct p = flattened(product);
  const OuterGrid grid(engine, p);
  return grid.chunks.count > 1 || p.turned ? grid.chunks.count * grid.size() * kFloat : 0;
}

void multiply(const OuterEngine& engine, const OuterProduct& product, void* workspace) {
  const FlatProduct p = flattened(product);
  const OuterGrid grid(engine, p);
  const std::int64_t size = grid.size(), chunks = grid.chunks.count;
  if (grid.blocks.count == 0) std::memset(p.c, 0, static_cast<std::size_t>(size * kFloat));
  if (grid.blocks.count == 0 || size == 0) return;
  auto* const sums = chunks > 1 || p.turned ? static_cast<float*>(workspace) : p.c;
  parallel_for(grid.tasks(p.groups), OuterWorker::scratch_bytes(engine, p, grid),
               [&](std::int64_t task, void* scratch) { OuterWorker(engine, p, grid, sums, scratch).compute(task); });
  if (p.turned) {
    parallel_for(ceil_div(grid.rows, grid.width), [&](std::int64_t task) {
      const std::int64_t row = task * grid.width, rows = min_i64(grid.width, grid.rows - row);
      engine.sum_turned({sums + row * grid.columns, size, chunks, rows, grid.columns, p.c + row, grid.rows});
    });
  } else if (chunks > 1) {
    parallel_ranges(size, kSumSize, [&](std::int64_t begin, std::int64_t end) {
      engine.sum(sums + begin, size, chunks, p.c + begin, end - begin);
    });
  }
}

}  // namespace fastcnn::gemm

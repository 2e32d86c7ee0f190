// The loops around the micro-kernel of outer products: which part of the result, which pixels, who computes it.
#include "gemm/outer.h"

#include <cstring>

#include "core/thread_pool.h"
#include "gemm/gemm.h"

namespace fastcnn::gemm {
namespace {

constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
constexpr std::int64_t kSumSize = 16384;  // floats of C that a task adds up

// A window that is one pixel, each where b has one: the pictures are one long row.
OuterProduct flattened(OuterProduct p) {
  const auto& [h, w] = p.window;
  if (h.size == 1 && w.size == 1 && h.stride == 1 && w.stride == 1 && h.before == 0 && w.before == 0 &&
      p.a.height == p.b.height && p.a.width == p.b.width) {
    p.a.width = p.b.width = p.pictures * p.b.height * p.b.width;
    p.a.height = p.b.height = p.pictures = 1;
  }
  return p;
}

// How a product is cut, by its shape. Pixels come in stretches of a row of b; a block is some of them, a chunk some
// blocks; a task has one chunk and one part of the taps, the rows and the columns of C.
struct OuterGrid {
  bool windows;                         // a row of the window is a single, long tap
  std::int64_t taps_h, taps_w;          // of C, as this cuts it
  std::int64_t rows, columns, filters;  // of C for one tap and group; columns of all groups
  EvenParts stretches{0, 0};            // in a row
  EvenParts blocks{0, 0};               // of stretches
  EvenParts chunks{0, 0};               // of blocks
  EvenParts tap_parts{0, 0}, row_parts{0, 0}, vector_parts{0, 0};
  std::int64_t width;

  OuterGrid(const OuterEngine& engine, const OuterProduct& p) : width(engine.blocking.width) {
    const auto& [h, w] = p.window;
    const std::int64_t channels = p.a.channels / p.groups;
    windows = channels < kOuterFewChannels && w.size > 1 && w.dilation == 1 && p.groups == 1;
    taps_h = h.size;
    taps_w = windows ? 1 : w.size;
    rows = windows ? w.size * channels : channels;
    filters = p.b.channels;
    columns = filters / p.groups;
    stretches = {p.b.width, max_i64(1, ceil_div(p.b.width, kOuterPixels))};
    const std::int64_t all = p.pictures * p.b.height * (p.b.width > 0 ? stretches.count : 0);
    blocks = {all, ceil_div(all, max_i64(1, kOuterPixels / max_i64(1, ceil_div(p.b.width, stretches.count))))};
    cut(p);
  }

  std::int64_t size() const { return taps_h * taps_w * rows * filters; }
  std::int64_t tasks(std::int64_t groups) const {
    return chunks.count * groups * tap_parts.count * row_parts.count * vector_parts.count;
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

// The work of one task.
class OuterWorker {
 public:
  OuterWorker(const OuterEngine& engine, const OuterProduct& p, const OuterGrid& grid, float* sums, void* scratch)
      : engine_(engine),
        p_(p),
        grid_(grid),
        sums_(sums),
        packed_(static_cast<float*>(scratch)),
        copy_(packed_ + packed_floats(grid)),
        runs_(reinterpret_cast<OuterRun*>(copy_ + copy_floats(p, grid))) {}
  static std::int64_t scratch_bytes(const OuterProduct& p, const OuterGrid& grid) {
    return (packed_floats(grid) + copy_floats(p, grid)) * kFloat +
           OuterGrid::most(grid.blocks) * static_cast<std::int64_t>(sizeof(OuterRun));
  }

  void compute(std::int64_t task) {
    const Part vectors(grid_.vector_parts, task), rows(grid_.row_parts, task), taps(grid_.tap_parts, task);
    group_ = task % p_.groups;
    task /= p_.groups;
    const Part chunk(grid_.chunks, task);
    sums_ += chunk.index * grid_.size();
    const std::int64_t column = vectors.begin * grid_.width;
    const std::int64_t columns = min_i64(vectors.end * grid_.width, grid_.columns) - column;
    for (std::int64_t block = chunk.begin; block < chunk.end; ++block) {
      const std::int64_t first = grid_.blocks.begin(block), last = grid_.blocks.begin(block + 1);
      const std::int64_t pixel = pixel_of(first), pixels = pixel_of(last) - pixel;
      const OuterPanels panels{.from = p_.b.data + pixel * p_.b.channels + group_ * grid_.columns + column,
                               .step = p_.b.channels,
                               .pixels = pixels,
                               .columns = columns,
                               .to = packed_,
                               .panel_floats = pixels * engine_.blocking.vectors * grid_.width};
      engine_.pack(panels);
      for (std::int64_t tap_h = taps.begin; tap_h < taps.end; ++tap_h)
        for (std::int64_t tap_w = 0; tap_w < grid_.taps_w; ++tap_w) {
          find_runs(first, last, tap_h, tap_w);
          tile_.accumulate = block > chunk.begin;
          multiply(panels, rows, column, (tap_h * grid_.taps_w + tap_w) * grid_.rows);
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

  static std::int64_t packed_floats(const OuterGrid& grid) {
    return round_up(OuterGrid::most(grid.blocks) * OuterGrid::most(grid.stretches), 16) *
           OuterGrid::most(grid.vector_parts) * grid.width;
  }
  // A row of windows, zeros beside the picture included.
  static std::int64_t copied_row(const OuterProduct& p, const OuterGrid& grid) {
    return ((OuterGrid::most(grid.stretches) - 1) * p.window.w.stride + p.window.w.size) * p.a.channels;
  }
  static std::int64_t copy_floats(const OuterProduct& p, const OuterGrid& grid) {
    return grid.windows ? round_up(OuterGrid::most(grid.blocks) * copied_row(p, grid), 16) : 0;
  }

  std::int64_t pixel_of(std::int64_t stretch) const {
    const std::int64_t row = stretch / grid_.stretches.count, part = stretch % grid_.stretches.count;
    return row * p_.b.width + grid_.stretches.begin(part);
  }

  // Where the tap meets the pixels of stretches [first, last) in `a`, or in a copy of their windows.
  void find_runs(std::int64_t first, std::int64_t last, std::int64_t tap_h, std::int64_t tap_w) {
    const auto& [h, w] = p_.window;
    const std::int64_t start = pixel_of(first);
    tile_.a = grid_.windows ? copy_ : p_.a.data + group_ * grid_.rows;
    tile_.a_step = w.stride * p_.a.channels;
    tile_.runs = runs_;
    tile_.count = 0;
    for (std::int64_t stretch = first; stretch < last; ++stretch) {
      const std::int64_t b_row = stretch / grid_.stretches.count, part = stretch % grid_.stretches.count;
      const std::int64_t row = h.start(b_row % p_.b.height) + tap_h * h.dilation;
      if (row < 0 || row >= p_.a.height) continue;
      const std::int64_t a_row = (b_row / p_.b.height * p_.a.height + row) * p_.a.width;
      const std::int64_t j = grid_.stretches.begin(part), end = grid_.stretches.begin(part + 1);
      const std::int64_t b = pixel_of(stretch) - start;
      if (grid_.windows) {
        const std::int64_t at = tile_.count * copied_row(p_, grid_);
        copy_pixels(a_row, w.start(j), (end - j - 1) * w.stride + w.size, copy_ + at);
        runs_[tile_.count++] = {at, b, end - j};
        continue;
      }
      // The pixels of the stretch that the tap finds inside the picture.
      const std::int64_t offset = tap_w * w.dilation - w.before;
      const std::int64_t begin = max_i64(j, offset >= 0 ? 0 : ceil_div(-offset, w.stride));
      const std::int64_t stop = offset >= p_.a.width ? j : min_i64(end, (p_.a.width - 1 - offset) / w.stride + 1);
      if (begin >= stop) continue;
      runs_[tile_.count++] = {(a_row + begin * w.stride + offset) * p_.a.channels, b + begin - j, stop - begin};
    }
  }

  // `count` pixels of a row of `a`, zeros where it has none.
  void copy_pixels(std::int64_t a_row, std::int64_t first, std::int64_t count, float* to) const {
    const std::int64_t begin = min_i64(count, max_i64(0, -first));
    const std::int64_t end = max_i64(begin, min_i64(count, p_.a.width - first)), channels = p_.a.channels;
    const auto bytes = [&](std::int64_t pixels) { return static_cast<std::size_t>(pixels * channels * kFloat); };
    std::memset(to, 0, bytes(begin));
    std::memcpy(to + begin * channels, p_.a.data + (a_row + first + begin) * channels, bytes(end - begin));
    std::memset(to + end * channels, 0, bytes(count - end));
  }

  // All tiles of a tap: its rows of C from `tap_row` on.
  void multiply(const OuterPanels& panels, const Part& rows, std::int64_t column, std::int64_t tap_row) {
    const std::int64_t panel_columns = engine_.blocking.vectors * grid_.width;
    const EvenParts tiles(rows.end - rows.begin, ceil_div(rows.end - rows.begin, engine_.blocking.rows));
    const float* const a = tile_.a + rows.begin;
    tile_.c_stride = grid_.filters;
    for (std::int64_t first = 0; first < panels.columns; first += panel_columns) {
      tile_.b = packed_ + first / panel_columns * panels.panel_floats;
      tile_.columns = min_i64(panel_columns, panels.columns - first);
      const std::int64_t vectors = ceil_div(tile_.columns, grid_.width);
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        tile_.a = a + row;
        tile_.c = sums_ + (tap_row + rows.begin + row) * grid_.filters + group_ * grid_.columns + column + first;
        engine_.tile[tiles.begin(i + 1) - row - 1][vectors - 1](tile_);
      }
    }
  }

  const OuterEngine& engine_;
  const OuterProduct& p_;
  const OuterGrid& grid_;
  float *sums_, *packed_, *copy_;
  OuterRun* runs_;
  std::int64_t group_ = 0;
  OuterTile tile_{};
};

}  // namespace

std::int64_t workspace(const OuterEngine& engine, const OuterProduct& product) {
  const OuterGrid grid(engine, flattened(product));
  return grid.chunks.count > 1 ? grid.chunks.count * grid.size() * kFloat : 0;
}

void multiply(const OuterEngine& engine, const OuterProduct& product, void* workspace) {
  const OuterProduct p = flattened(product);
  const OuterGrid grid(engine, p);
  const std::int64_t size = grid.size(), chunks = grid.chunks.count;
  if (grid.blocks.count == 0) std::memset(p.c, 0, static_cast<std::size_t>(size * kFloat));
  if (grid.blocks.count == 0 || size == 0) return;
  auto* const sums = chunks > 1 ? static_cast<float*>(workspace) : p.c;
  parallel_for(grid.tasks(p.groups), OuterWorker::scratch_bytes(p, grid),
               [&](std::int64_t task, void* scratch) { OuterWorker(engine, p, grid, sums, scratch).compute(task); });
  if (chunks == 1) return;
  parallel_ranges(size, kSumSize, [&](std::int64_t begin, std::int64_t end) {
    engine.sum(sums + begin, size, chunks, p.c + begin, end - begin);
  });
}

}  // namespace fastcnn::gemm

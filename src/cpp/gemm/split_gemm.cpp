// The loops around the kernels of split.h: a task splits its rows of A part by part of the sum, and takes each part
// through its panels of B.
#include "gemm/split_gemm.h"

#include <cstring>

#include "core/thread_pool.h"

namespace fastcnn::gemm {
namespace {

constexpr int kSourceRows = 4;  // rows that are asked for at a time; at most kMaxTileRows
constexpr int kStripRows = kSplitTiles * kSplitRows;
constexpr std::int64_t kTileFloats = kSplitTileBytes / sizeof(float);

std::int64_t steps_of(std::int64_t depth) { return ceil_div(depth, kSplitDepth); }

// The columns of B in panels of two tiles; the last may have one.
struct SplitPanels {
  std::int64_t tiles, count;

  explicit SplitPanels(std::int64_t columns)
      : tiles(ceil_div(columns, kSplitColumns)), count(ceil_div(tiles, kSplitTiles)) {}
  int tiles_of(std::int64_t p) const { return static_cast<int>(min_i64(kSplitTiles, tiles - p * kSplitTiles)); }
};

// How a product is cut into tasks, all by its shape. The rows are strips of one or two tiles, each of `tile_rows` rows,
// as few as will do, since the time of a product goes with them.
struct SplitGrid {
  SplitPanels panels;
  int row_tiles, tile_rows;
  std::int64_t strips, steps;
  std::int64_t row_chunks, column_chunks;   // a task has one of each
  std::int64_t chunk_strips, chunk_panels;  // at most
  std::int64_t parts_of_sum;
  bool resident;  // all of B stays in L2

  SplitGrid(const SplitEngine& engine, const Product& p) : panels(p.columns), steps(steps_of(p.depth)) {
    row_tiles = p.rows <= engine.tile_rows ? 1 : kSplitTiles;
    strips = ceil_div(p.rows, row_tiles * engine.tile_rows);
    tile_rows = static_cast<int>(ceil_div(p.rows, strips * row_tiles));
    resident =
        packed_size(engine, p.depth, p.columns) * static_cast<std::int64_t>(sizeof(float)) <= kSplitResidentBytes;
    // B in L2: rows are cut finely. Else each chunk of rows reads B anew: they are long, and columns are cut.
    const std::int64_t fine = min_i64(kSplitStrips, max_i64(1, strips * p.batch / kSplitTasks));
    row_chunks = ceil_div(strips, resident ? fine : kSplitManyStrips);
    column_chunks = max_i64(1, min_i64(panels.count / kSplitPanels, ceil_div(kSplitTasks, row_chunks * p.batch)));
    column_chunks = max_i64(column_chunks, ceil_div(panels.count, kSplitMaxPanels));
    if (row_chunks * column_chunks * p.batch < kSplitLeastTasks)
      row_chunks = min_i64(ceil_div(strips, kSplitStrips), kSplitLeastTasks);
    if (row_chunks * column_chunks * p.batch < kSplitLeastTasks)
      column_chunks = min_i64(panels.count, kSplitLeastTasks);
    chunk_strips = ceil_div(strips, row_chunks);
    chunk_panels = ceil_div(panels.count, column_chunks);
    parts_of_sum = max_i64(1, ceil_div(chunk_strips * strip_bytes(engine) * steps, kSplitBytes));
  }
  std::int64_t strip_bytes(const SplitEngine& engine) const {
    return std::int64_t{engine.parts} * row_tiles * kSplitTileBytes;
  }
  std::int64_t most_steps() const { return ceil_div(steps, parts_of_sum); }
  std::int64_t first_step(std::int64_t part) const { return part * steps / parts_of_sum; }
  // What a task needs of memory.
  std::int64_t a_bytes(const SplitEngine& engine) const { return chunk_strips * most_steps() * strip_bytes(engine); }
  std::int64_t sums_floats() const {
    return (parts_of_sum > 1 ? chunk_strips * chunk_panels : 1) * kSplitTiles * kSplitTiles * kTileFloats;
  }
  std::int64_t part_floats() const { return most_steps() * kSplitDepth; }
  std::int64_t first_strip(std::int64_t chunk) const { return chunk * strips / row_chunks; }
  std::int64_t first_panel(std::int64_t chunk) const { return chunk * panels.count / column_chunks; }
};

// Cuts a task's scratch memory into arrays.
class Scratch {
 public:
  explicit Scratch(void* memory) : next_(static_cast<unsigned char*>(memory)) {}
  template <class T>
  T* take(std::int64_t count) {
    T* taken = reinterpret_cast<T*>(next_);
    next_ += size<T>(count);
    return taken;
  }
  template <class T>
  static std::int64_t size(std::int64_t count) {
    return round_up(count * static_cast<std::int64_t>(sizeof(T)), 64);
  }

 private:
  unsigned char* next_;
};

// The work of one task.
class SplitWorker {
 public:
  SplitWorker(const SplitEngine& engine, const Product& p, const RowSource& source, const SplitGrid& grid, void* memory)
      : engine_(engine), p_(p), source_(source), grid_(grid) {
    Scratch scratch(memory);
    a_ = scratch.take<unsigned char>(grid.a_bytes(engine));
    sums_ = scratch.take<float>(grid.sums_floats());
    copies_ = scratch.take<float>(kSourceRows * grid.part_floats());
    zeros_ = scratch.take<float>(grid.part_floats());
    std::memset(zeros_, 0, static_cast<std::size_t>(grid.part_floats()) * sizeof(float));
    at_ = scratch.take<std::int64_t>(grid.chunk_strips * kStripRows);
    set_.a = scratch.take<const float*>(source.max_taps() * kSourceRows);
    set_.scratch = scratch.take<float>(source.scratch());
  }

  static std::int64_t scratch_bytes(const SplitEngine& engine, const RowSource& source, const SplitGrid& grid) {
    return Scratch::size<unsigned char>(grid.a_bytes(engine)) + Scratch::size<float>(grid.sums_floats()) +
           Scratch::size<float>(kSourceRows * grid.part_floats()) + Scratch::size<float>(grid.part_floats()) +
           Scratch::size<std::int64_t>(grid.chunk_strips * kStripRows) +
           Scratch::size<const float*>(source.max_taps() * kSourceRows) + Scratch::size<float>(source.scratch());
  }

  void compute(std::int64_t batch, std::int64_t row_chunk, std::int64_t column_chunk) {
    const std::int64_t first_strip = grid_.first_strip(row_chunk),
                       strips = grid_.first_strip(row_chunk + 1) - first_strip;
    const std::int64_t first_panel = grid_.first_panel(column_chunk);
    const std::int64_t panels = grid_.first_panel(column_chunk + 1) - first_panel;
    batch_ = batch;
    engine_.configure(grid_.tile_rows);
    for (std::int64_t part = 0; part < grid_.parts_of_sum; ++part) {
      first_step_ = grid_.first_step(part);
      steps_ = grid_.first_step(part + 1) - first_step_;
      for (std::int64_t s = 0; s < strips; ++s) split_strip(first_strip + s, s);
      for (std::int64_t panel = 0; panel < panels; ++panel)
        for (std::int64_t s = 0; s < strips; ++s) {
          // While a panel is used, the next is called in, a share with each strip.
          const bool ahead = !grid_.resident && panel + 1 < panels;
          std::int64_t share = ahead ? round_up(panel_bytes(first_panel + panel + 1, 1) / strips, 64) : 0;
          const unsigned char* next = ahead ? panel_of_b(first_panel + panel + 1) + s * steps_ * share : nullptr;
          if (!grid_.resident && strips == 1) {  // B is one stream from memory, too long to be called in by panels
            next = panel_of_b(first_panel + panel) + kSplitStreamAhead;
            share = panel_bytes(first_panel + panel, 1);
          }
          multiply(part, first_strip + s, s, first_panel + panel, panel * strips + s, next, share);
        }
    }
    engine_.release();
  }

 private:
  std::int64_t strip_rows() const { return std::int64_t{grid_.row_tiles} * grid_.tile_rows; }
  std::int64_t rows_of(std::int64_t strip) const { return min_i64(strip_rows(), p_.rows - strip * strip_rows()); }
  unsigned char* parts_of(std::int64_t slot) const { return a_ + slot * steps_ * grid_.strip_bytes(engine_); }

  void split_strip(std::int64_t strip, std::int64_t slot) {
    const std::int64_t rows = rows_of(strip), begin = first_step_ * kSplitDepth;
    const std::int64_t end = max_i64(begin, min_i64(p_.depth, begin + steps_ * kSplitDepth));
    for (std::int64_t r = 0; r < rows;) {
      const std::int64_t tile = r / grid_.tile_rows, row = r % grid_.tile_rows;
      const std::int64_t count = min_i64(min_i64(kSourceRows, rows - r), grid_.tile_rows - row);
      source_.rows(batch_, strip * strip_rows() + r, static_cast<int>(count), set_);
      for (std::int64_t i = 0; i < count; ++i) at_[slot * kStripRows + r + i] = set_.at[i];
      split(static_cast<int>(count), begin, end, parts_of(slot) + tile * kSplitTileBytes + row * kSplitRowBytes);
      r += count;
    }
  }

  // The terms [begin, end) of the rows in the set. They are read where they lie if whole steps of them do, else brought
  // together first; A is zero where a row has no terms.
  void split(int count, std::int64_t begin, std::int64_t end, unsigned char* out) {
    const std::int64_t first = set_.b_row, last = first + set_.taps * set_.depth;
    const bool whole_steps = set_.depth % kSplitDepth == 0 && first % kSplitDepth == 0;
    const bool one_run = set_.taps == 1 && first <= begin && last >= end;
    if (p_.a_step != 1 || !(whole_steps || one_run)) {
      const float* row[kSourceRows];
      for (int r = 0; r < count; ++r) copy_row(r, count, begin, end, copies_ + r * (end - begin));
      for (int r = 0; r < count; ++r) row[r] = copies_ + r * (end - begin);
      split_run(row, count, end - begin, out);
      return;
    }
    for (std::int64_t k = begin; k < end;) {
      const float* row[kSourceRows] = {zeros_, zeros_, zeros_, zeros_};
      std::int64_t stop = k < first ? min_i64(first, end) : end;
      if (k >= first && k < last) {
        const std::int64_t tap = (k - first) / set_.depth, offset = (k - first) % set_.depth;
        stop = min_i64(end, k + set_.depth - offset);
        for (int r = 0; r < count; ++r) row[r] = set_.a[tap * count + r] + offset;
      }
      split_run(row, count, stop - k, out + (k - begin) / kSplitDepth * grid_.strip_bytes(engine_));
      k = stop;
    }
  }

  void split_run(const float* const* row, int count, std::int64_t depth, unsigned char* out) const {
    const std::int64_t next = source_.contiguous() ? kSourceRows * set_.depth : 0;
    engine_.layout.split_rows({row, count, depth, next, grid_.row_tiles * std::int64_t{kSplitTileBytes}, out});
  }

  // The terms of row r of the set in the order of the sum; zeros where it has none.
  void copy_row(int r, int count, std::int64_t begin, std::int64_t end, float* copy) const {
    const std::int64_t there = set_.b_row + set_.taps * set_.depth;
    std::memset(copy, 0, static_cast<std::size_t>(end - begin) * sizeof(float));
    for (std::int64_t k = max_i64(begin, set_.b_row); k < min_i64(end, there);) {
      const std::int64_t tap = (k - set_.b_row) / set_.depth, offset = (k - set_.b_row) % set_.depth;
      const std::int64_t run = min_i64(set_.depth - offset, min_i64(end, there) - k);
      const float* a = set_.a[tap * count + r] + offset * p_.a_step;
      if (p_.a_step == 1)
        std::memcpy(copy + (k - begin), a, static_cast<std::size_t>(run) * sizeof(float));
      else
        for (std::int64_t i = 0; i < run; ++i) copy[k - begin + i] = a[i * p_.a_step];
      k += run;
    }
  }

  std::int64_t panel_bytes(std::int64_t panel, std::int64_t steps) const {
    return steps * grid_.panels.tiles_of(panel) * engine_.parts * kSplitTileBytes;
  }
  // Where this part of the sum starts in a panel.
  const unsigned char* panel_of_b(std::int64_t panel) const {
    return reinterpret_cast<const unsigned char*>(p_.packed + batch_ * p_.packed_stride) +
           panel * kSplitTiles * grid_.steps * engine_.parts * kSplitTileBytes + panel_bytes(panel, first_step_);
  }

  void multiply(std::int64_t part, std::int64_t strip, std::int64_t slot, std::int64_t panel, std::int64_t sum,
                const unsigned char* next, std::int64_t next_bytes) const {
    const int column_tiles = grid_.panels.tiles_of(panel);
    const bool last = part + 1 == grid_.parts_of_sum;
    float* sums = sums_ + (grid_.parts_of_sum > 1 ? sum * kSplitTiles * kSplitTiles * kTileFloats : 0);
    const std::int64_t column = panel * kSplitTiles * kSplitColumns, start = batch_ * p_.c_stride + column;
    const SplitFinish finish{.sums = sums,
                             .rows = static_cast<int>(rows_of(strip)),
                             .tile_rows = grid_.tile_rows,
                             .column_tiles = column_tiles,
                             .columns = min_i64(kSplitTiles * kSplitColumns, p_.columns - column),
                             .at = at_ + slot * kStripRows,
                             .ahead = at_ + slot * kStripRows,
                             .c = element(p_.c, p_.bf16_c, start),
                             .residual = element(p_.residual, p_.bf16_residual, start),
                             .bias = p_.bias != nullptr ? p_.bias + batch_ * p_.bias_stride + column : nullptr,
                             .bf16_c = p_.bf16_c,
                             .bf16_residual = p_.bf16_residual,
                             .activation = p_.activation,
                             .alpha = p_.alpha};
    const unsigned char* a = parts_of(slot);
    const SplitRun run{{a, a + kSplitTileBytes}, steps_};
    engine_.multiply({.runs = &run,
                      .num_runs = 1,
                      .row_stride = kSplitRowBytes,
                      .part_stride = grid_.row_tiles * std::int64_t{kSplitTileBytes},
                      .step_stride = grid_.strip_bytes(engine_),
                      .b = panel_of_b(panel),
                      .next = next,
                      .next_bytes = next_bytes,
                      .row_tiles = grid_.row_tiles,
                      .column_tiles = column_tiles,
                      .tile_rows = grid_.tile_rows,
                      .accumulate = part > 0,
                      .c = sums,
                      .finish = last ? &finish : nullptr});
  }

  const SplitEngine& engine_;
  const Product& p_;
  const RowSource& source_;
  const SplitGrid& grid_;
  std::int64_t batch_ = 0, first_step_ = 0, steps_ = 0;
  unsigned char* a_;  // the parts of the rows, strip by strip
  float* sums_;       // C's tiles between two parts of the sum
  float* copies_;     // rows brought together
  float* zeros_;      // as long as a part of the sum
  std::int64_t* at_;  // where the rows of C start
  RowSet set_;
};

}  // namespace

std::int64_t packed_size(const SplitEngine& engine, std::int64_t depth, std::int64_t columns) {
  return steps_of(depth) * engine.parts * SplitPanels(columns).tiles * kTileFloats;
}

void pack_rows(const SplitEngine& engine, const PackSource& s, std::int64_t first_row, std::int64_t total_depth,
               float* packed) {
  const SplitPanels panels(s.columns);
  const std::int64_t steps = steps_of(total_depth), blocks = ceil_div(steps_of(s.depth), kSplitPackSteps);
  const std::int64_t first_step = first_row / kSplitDepth;
  parallel_for(panels.count * blocks, [&](std::int64_t i) {
    const std::int64_t panel = i / blocks, step = i % blocks * kSplitPackSteps;
    const std::int64_t begin = step * kSplitDepth, depth = min_i64(s.depth - begin, kSplitPackSteps * kSplitDepth);
    const int tiles = panels.tiles_of(panel);
    for (int t = 0; t < tiles; ++t) {
      const std::int64_t column = (panel * kSplitTiles + t) * kSplitColumns;
      const std::int64_t columns = min_i64(kSplitColumns, s.columns - column);
      const float* b = s.b + begin * s.row_stride + column * s.column_stride;
      std::int64_t row_stride = s.row_stride;
      float turned[kSplitPackSteps * kSplitDepth * kSplitColumns];
      if (s.column_stride != 1) {
        for (std::int64_t n = 0; n < columns; ++n)
          for (std::int64_t k = 0; k < depth; ++k)
            turned[k * kSplitColumns + n] = b[k * s.row_stride + n * s.column_stride];
        b = turned;
        row_stride = kSplitColumns;
      }
      engine.layout.split_columns(
          {b, row_stride, depth, columns, tiles * std::int64_t{kSplitTileBytes},
           reinterpret_cast<unsigned char*>(packed) +
               (panel * kSplitTiles * steps + (first_step + step) * tiles) * engine.parts * kSplitTileBytes +
               t * kSplitTileBytes});
    }
  });
}

void pack(const SplitEngine& engine, const PackSource& source, float* packed) {
  pack_rows(engine, source, 0, source.depth, packed);
}

const char* yields(const SplitEngine& engine, std::int64_t rows, std::int64_t depth, std::int64_t columns) {
  // On a core that another thread shares six products take 1.2 to 1.4 times as long, else 0.6 to 0.8 times.
  if (engine.parts == 3) return "six products lose to multiply-adds where another thread has half of the core";
  const SplitLeast& least = kSplitLeast[engine.parts - 1];
  if (rows < least.rows) return "too few rows for AMX tiles";
  if (depth < least.depth) return "sums too short for AMX tiles";
  if (columns < least.columns) return "too few columns for AMX tiles";
  const std::int64_t bytes = packed_size(engine, depth, columns) * static_cast<std::int64_t>(sizeof(float));
  if (bytes > least.bytes && bytes > rows * kSplitBytesPerRow)
    return "too few rows for so large a matrix in bf16 parts";
  return nullptr;
}

void multiply(const SplitEngine& engine, const Product& p, const RowSource& source) {
  if (p.rows <= 0 || p.columns <= 0 || p.batch <= 0) return;
  const SplitGrid grid(engine, p);
  const std::int64_t tasks = grid.row_chunks * grid.column_chunks;
  const std::int64_t bytes = SplitWorker::scratch_bytes(engine, source, grid);
  parallel_for(p.batch * tasks, bytes, [&](std::int64_t task, void* memory) {
    SplitWorker worker(engine, p, source, grid, memory);
    worker.compute(task / tasks, task % grid.row_chunks, task % tasks / grid.row_chunks);
  });
}

}  // namespace fastcnn::gemm

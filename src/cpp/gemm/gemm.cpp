// The loops around the micro-kernel: which panel, which rows, which part of the sum, who computes it.
#include "gemm/gemm.h"

#include <cstring>
#include <vector>

#include "core/thread_pool.h"

namespace fastcnn::gemm {
namespace {

constexpr std::int64_t kPackRows = 128;
constexpr std::int64_t kLine = 64 / sizeof(float);

// Rows [begin, end) of one panel.
void pack_block(const PackSource& s, std::int64_t first_column, std::int64_t panel_width, std::int64_t begin,
                std::int64_t end, float* out) {
  const std::int64_t columns = min_i64(panel_width, s.columns - first_column);
  const float* b = s.b + first_column * s.column_stride;
  if (columns < panel_width) std::memset(out, 0, static_cast<std::size_t>((end - begin) * panel_width) * sizeof(float));
  if (s.column_stride == 1) {
    for (std::int64_t k = begin; k < end; ++k, out += panel_width)
      std::memcpy(out, b + k * s.row_stride, static_cast<std::size_t>(columns) * sizeof(float));
  } else {
    for (std::int64_t n = 0; n < columns; ++n) {
      const float* from = b + n * s.column_stride;
      for (std::int64_t k = begin; k < end; ++k) out[(k - begin) * panel_width + n] = from[k * s.row_stride];
    }
  }
}

// How a product is cut into tasks and tiles of rows.
struct Grid {
  std::int64_t rows;
  Panels panels;
  bool resident;           // a task takes its rows through all panels, else through one
  bool few_terms;          // which have a micro-kernel of their own
  bool calls_in;           // it calls in what it writes
  std::int64_t tall;       // rows of each tile but the last where the only panel is narrow; else 0
  EvenParts tiles;         // where `tall` is 0
  EvenParts chunks{0, 0};  // of tiles; a task has one

  Grid(const Blocking& blocking, const Product& p, const RowSource& source)
      : rows(p.rows),
        panels(blocking, p.columns),
        resident(packed_size(blocking, max_i64(1, p.depth), p.columns) * static_cast<std::int64_t>(sizeof(float)) <=
                 kResidentBytes),
        few_terms(resident && p.depth < kFewTerms && p.a_step == 1 && !p.lower_triangle &&
                  bounds_suffice(p.activation) && source.stretches()),
        calls_in(p.residual != nullptr ||
                 p.batch * p.rows * p.columns * static_cast<std::int64_t>(sizeof(float)) > kNearResult),
        tall(resident && panels.total_vectors <= blocking.tall_vectors ? blocking.tall_rows : 0),
        tiles(p.rows, ceil_div(p.rows, tall > 0 ? tall : blocking.rows)) {
    const std::int64_t groups = resident ? 1 : panels.count;
    const std::int64_t tile_rows = ceil_div(p.rows, tiles.count);
    const std::int64_t tile_work = tile_rows * max_i64(1, p.depth) * ceil_div(p.columns, groups);
    const std::int64_t least = max_i64(resident ? 1 : kTaskTiles, ceil_div(kTaskWork, tile_work));
    chunks = {tiles.count, max_i64(1, min_i64(ceil_div(kTasks, groups * p.batch), tiles.count / least))};
  }
  std::int64_t first_row(std::int64_t tile) const { return tall > 0 ? min_i64(rows, tile * tall) : tiles.begin(tile); }
};

// The sum over `depth` rows of B in parts that each stay in L2, cut at multiples of the source's unit.
struct Parts {
  std::int64_t count, units, unit;

  Parts(std::int64_t depth, std::int64_t width, std::int64_t unit) : units(depth / max_i64(1, unit)), unit(unit) {
    const std::int64_t bytes = depth * width * static_cast<std::int64_t>(sizeof(float));
    count = max_i64(1, min_i64(units, ceil_div(bytes, kPanelBytes)));
  }
  std::int64_t begin(std::int64_t part) const { return part * units / count * unit; }
};

// Restricts a tile that has the rows of B from set.b_row on to B's rows [begin, end); false if nothing is left to do.
bool cut(RowSet& set, int count, std::int64_t a_step, std::int64_t begin, std::int64_t end, Tile& t) {
  const std::int64_t size = set.taps * set.depth;
  const std::int64_t first = max_i64(0, begin - set.b_row), last = min_i64(size, end - set.b_row);
  t.accumulate = first > 0;
  t.finish = last == size;
  t.a = set.a;
  t.taps = set.taps;
  t.depth = set.depth;
  if (size == 0) return begin == 0;  // only the epilogue
  if (first >= last) return false;
  if (set.taps == 1) {
    t.depth = last - first;
    for (int r = 0; r < count; ++r) set.a[r] += first * a_step;
  } else {
    t.taps = (last - first) / set.depth;
    t.a += first / set.depth * count;
  }
  return true;
}

// The work of one task: some tiles of rows times some panels.
class Worker {
 public:
  Worker(const Engine& engine, const Product& p, const RowSource& source, const Grid& grid, std::int64_t batch)
      : engine_(engine), p_(p), source_(source), grid_(grid), batch_(batch) {
    // Room for the pointers of a tile, kept by the thread from call to call.
    thread_local std::vector<const float*> pointers;
    thread_local std::vector<float> scratch;
    const auto taps = static_cast<std::size_t>(source.max_taps() * kMaxTileRows);
    const auto floats = static_cast<std::size_t>(source.scratch());
    if (pointers.size() < taps) pointers.resize(taps);
    if (scratch.size() < floats) scratch.resize(floats);
    set_.a = pointers.data();
    set_.scratch = scratch.data();
    packed_ = p.packed + batch * p.packed_stride;
    packed_end_ = packed_ + grid.panels.offset(grid.panels.count, p.depth);
    tile_.a_step = p.a_step;
    tile_.activation = p.activation;
    tile_.alpha = p.alpha;
    tile_.at = set_.at;
  }

  // All of B stays in L2: row by row of tiles, so that A is read and C is written once, front to back.
  void sweep_rows(std::int64_t first_tile, std::int64_t last_tile) {
    for (std::int64_t i = first_tile; i < last_tile; ++i) {
      const std::int64_t first = grid_.first_row(i), rows = grid_.first_row(i + 1) - first;
      take_rows(first, rows);
      if (grid_.tall == 0 || (rows == grid_.tall && set_.even)) {
        through_panels();
        continue;
      }
      const EvenParts parts(rows, ceil_div(rows, engine_.blocking.rows));
      for (std::int64_t part = 0; part < parts.count; ++part) {
        take_rows(first + parts.begin(part), parts.begin(part + 1) - parts.begin(part));
        through_panels();
      }
    }
  }

  // Sums of few terms, likewise, by stretches of rows.
  void sweep_stretches(std::int64_t first_tile, std::int64_t last_tile) {
    Stretch stretch{.a = set_.a, .scratch = set_.scratch};
    const std::int64_t end = grid_.first_row(last_tile);
    for (std::int64_t row = grid_.first_row(first_tile), count; row < end; row += count) {
      count = source_.stretch(batch_, row, min_i64(kStretch, end - row), stretch);
      for (std::int64_t panel = 0; panel < grid_.panels.count; ++panel) {
        take_panel(panel);
        engine_.short_rows[vectors_ - 1]({.a = stretch.a,
                                          .taps = stretch.taps,
                                          .depth = stretch.depth,
                                          .a_row = stretch.a_row,
                                          .rows = count,
                                          .b = b_ + stretch.b_row * width_,
                                          .columns = tile_.columns,
                                          .c = tile_.c + stretch.at,
                                          .residual = tile_.residual != nullptr ? tile_.residual + stretch.at : nullptr,
                                          .c_row = stretch.c_row,
                                          .bias = tile_.bias,
                                          .activation = p_.activation,
                                          .calls_in = grid_.calls_in});
      }
    }
  }

  // One panel, part by part, each through all rows.
  void sweep_panel(std::int64_t panel, std::int64_t first_tile, std::int64_t last_tile) {
    take_panel(panel);
    const Parts parts(p_.depth, width_, source_.unit());
    for (std::int64_t part = 0; part < parts.count; ++part) {
      const std::int64_t begin = parts.begin(part), end = parts.begin(part + 1);
      // The next panel follows the last task of this one, the next part those of each task.
      const std::int64_t tiles = part + 1 < parts.count ? last_tile : grid_.tiles.count;
      for (std::int64_t i = first_tile; i < last_tile; ++i) {
        const std::int64_t first = grid_.first_row(i);
        take_rows(first, grid_.first_row(i + 1) - first);
        if (cut(set_, count_, p_.a_step, begin, end, tile_)) compute(begin, b_ + end * width_, tiles - 1 - i);
      }
    }
  }

 private:
  void take_rows(std::int64_t first, std::int64_t count) {
    first_row_ = first;
    count_ = static_cast<int>(count);
    set_.even = false;
    source_.rows(batch_, first_row_, count_, set_);
  }

  void through_panels() {
    for (std::int64_t panel = 0; panel < grid_.panels.count; ++panel) {
      take_panel(panel);
      if (cut(set_, count_, p_.a_step, 0, p_.depth, tile_)) compute(0, b_, 0);
    }
  }

  void take_panel(std::int64_t panel) {
    vectors_ = grid_.panels.vectors(panel);
    width_ = vectors_ * grid_.panels.width;
    column_ = grid_.panels.first_column(panel);
    b_ = packed_ + grid_.panels.offset(panel, p_.depth);
    const std::int64_t start = batch_ * p_.c_stride + column_;
    tile_.c = p_.c + start;
    tile_.residual = p_.residual != nullptr ? p_.residual + start : nullptr;
    tile_.bias = p_.bias != nullptr ? p_.bias + batch_ * p_.bias_stride + column_ : nullptr;
    tile_.columns = min_i64(width_, p_.columns - column_);
  }

  // The rows and the panel taken, from row `begin` of B on. `next`: what of B comes after this part, which the last
  // tiles (`left` are still to come) call in, a share each; the others call in the next rows of A.
  void compute(std::int64_t begin, const float* next, std::int64_t left) {
    if (p_.lower_triangle && first_row_ + count_ <= column_) return;
    tile_.b = b_ + max_i64(set_.b_row, begin) * width_;
    const std::int64_t floats = tile_.taps * tile_.depth * kLine;
    const float* share = next + left * floats;
    // A short sum is over before its own lines of C have come: it calls in those of the next tile.
    tile_.ahead = 0;
    if (tile_.taps * tile_.depth <= kShortSum && count_ > 1) tile_.ahead = count_ * (set_.at[1] - set_.at[0]);
    if (next != b_ && left < vectors_ && share + floats <= packed_end_)
      tile_.prefetch = share;
    else
      tile_.prefetch = source_.contiguous() ? set_.a[0] + count_ * set_.depth : tile_.b;
    (grid_.tall == count_ ? engine_.tall[vectors_ - 1] : engine_.tile[count_ - 1][vectors_ - 1])(tile_);
  }

  const Engine& engine_;
  const Product& p_;
  const RowSource& source_;
  const Grid& grid_;
  const std::int64_t batch_;
  const float *packed_, *packed_end_;
  RowSet set_{};
  Tile tile_{};
  // What take_rows() and take_panel() took.
  std::int64_t first_row_ = 0, vectors_ = 0, width_ = 0, column_ = 0;
  int count_ = 0;
  const float* b_ = nullptr;
};

}  // namespace

std::int64_t packed_size(const Blocking& blocking, std::int64_t depth, std::int64_t columns) {
  return depth * round_up(columns, blocking.width);
}

void pack(const Blocking& blocking, const PackSource& s, float* packed) {
  const Panels panels(blocking, s.columns);
  const std::int64_t blocks = ceil_div(s.depth, kPackRows);
  parallel_for(panels.count * blocks, [&](std::int64_t i) {
    const std::int64_t p = i / blocks, begin = i % blocks * kPackRows, end = min_i64(s.depth, begin + kPackRows);
    const std::int64_t width = panels.vectors(p) * panels.width;
    pack_block(s, panels.first_column(p), width, begin, end, packed + panels.offset(p, s.depth) + begin * width);
  });
}

void MatrixRows::rows(std::int64_t batch, std::int64_t first, int count, RowSet& set) const {
  set.taps = 1;
  set.depth = depth_;
  set.b_row = 0;
  const float* a = a_ + batch * batch_stride_ + first * row_stride_;
  for (int r = 0; r < count; ++r) {
    set.a[r] = a + r * row_stride_;
    set.at[r] = (first + r) * c_stride_;
  }
  set.even = true;
}

std::int64_t MatrixRows::stretch(std::int64_t batch, std::int64_t first, std::int64_t count, Stretch& to) const {
  to.a[0] = a_ + batch * batch_stride_ + first * row_stride_;
  to.taps = 1;
  to.depth = depth_;
  to.b_row = 0;
  to.a_row = row_stride_;
  to.c_row = c_stride_;
  to.at = first * c_stride_;
  return count;
}

void multiply(const Engine& engine, const Product& p, const RowSource& source) {
  if (p.rows <= 0 || p.columns <= 0 || p.batch <= 0) return;
  const Grid grid(engine.blocking, p, source);
  const std::int64_t panels = grid.panels.count;
  const std::int64_t tasks_per_batch = (grid.resident ? 1 : panels) * grid.chunks.count;
  parallel_for(p.batch * tasks_per_batch, [&](std::int64_t task) {
    const std::int64_t panel = task % tasks_per_batch / grid.chunks.count;
    const std::int64_t chunk = task % grid.chunks.count;
    const std::int64_t first = grid.chunks.begin(chunk), last = grid.chunks.begin(chunk + 1);
    Worker worker(engine, p, source, grid, task / tasks_per_batch);
    if (grid.few_terms)
      worker.sweep_stretches(first, last);
    else
      grid.resident ? worker.sweep_rows(first, last) : worker.sweep_panel(panel, first, last);
  });
}

}  // namespace fastcnn::gemm

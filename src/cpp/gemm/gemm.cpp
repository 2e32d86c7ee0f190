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

// How a product is cut into tasks and micro-tiles.
struct Grid {
  Panels panels;
  std::int64_t tiles;             // micro-tiles of rows, as even as can be
  std::int64_t chunks;            // of tiles; a task has one chunk ...
  std::int64_t panels_per_task;   // ... through this many panels
  std::int64_t panel_groups;

  Grid(const Blocking& blocking, const Product& p) : panels(blocking, p.columns), tiles(ceil_div(p.rows, blocking.rows)) {
    const std::int64_t depth = max_i64(1, p.depth);
    const bool resident = packed_size(blocking, depth, p.columns) * 4 <= kResidentBytes;
    panels_per_task = resident ? panels.count : 1;
    panel_groups = ceil_div(panels.count, panels_per_task);
    const std::int64_t tile_work = blocking.rows * depth * ceil_div(p.columns, panel_groups);
    const std::int64_t least = max_i64(resident ? 1 : kTaskTiles, ceil_div(kTaskWork, tile_work));
    const std::int64_t wanted = ceil_div(kTasks, panel_groups * p.batch);
    chunks = max_i64(1, min_i64(wanted, tiles / least));
  }
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

}  // namespace

std::int64_t packed_size(const Blocking& blocking, std::int64_t depth, std::int64_t columns) {
  return depth * round_up(columns, blocking.width);
}

void pack_rows(const Blocking& blocking, const PackSource& s, std::int64_t first_row, std::int64_t total_depth,
               float* packed) {
  const Panels panels(blocking, s.columns);
  const std::int64_t blocks = ceil_div(s.depth, kPackRows);
  parallel_for(panels.count * blocks, [&](std::int64_t i) {
    const std::int64_t p = i / blocks, begin = i % blocks * kPackRows, end = min_i64(s.depth, begin + kPackRows);
    const std::int64_t width = panels.vectors(p) * panels.width;
    pack_block(s, panels.first_column(p), width, begin, end,
               packed + panels.offset(p, total_depth) + (first_row + begin) * width);
  });
}

void pack(const Blocking& blocking, const PackSource& source, float* packed) {
  pack_rows(blocking, source, 0, source.depth, packed);
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
}

void multiply(const Engine& engine, const Product& p, const RowSource& source) {
  if (p.rows <= 0 || p.columns <= 0 || p.batch <= 0) return;
  const Blocking& blocking = engine.blocking;
  const Grid grid(blocking, p);
  const Panels& panels = grid.panels;
  const std::int64_t tasks_per_batch = grid.panel_groups * grid.chunks;

  parallel_for(p.batch * tasks_per_batch, [&](std::int64_t task) {
    const std::int64_t batch = task / tasks_per_batch;
    const std::int64_t group = task % tasks_per_batch / grid.chunks, chunk = task % grid.chunks;
    const std::int64_t first_panel = group * grid.panels_per_task;
    const std::int64_t last_panel = min_i64(panels.count, first_panel + grid.panels_per_task);
    const std::int64_t first_tile = chunk * grid.tiles / grid.chunks, last_tile = (chunk + 1) * grid.tiles / grid.chunks;
    const float* packed = p.packed + batch * p.packed_stride;

    // Room for the pointers of a tile, kept by the thread from call to call.
    thread_local std::vector<const float*> pointers;
    thread_local std::vector<float> scratch;
    const auto wanted = static_cast<std::size_t>(source.max_taps() * blocking.rows);
    if (pointers.size() < wanted) pointers.resize(wanted);
    if (scratch.size() < static_cast<std::size_t>(source.scratch()))
      scratch.resize(static_cast<std::size_t>(source.scratch()));

    RowSet set{};
    set.scratch = scratch.data();
    Tile tile{};
    tile.a_step = p.a_step;
    tile.c = p.c + batch * p.c_stride;
    tile.residual = p.residual != nullptr ? p.residual + batch * p.c_stride : nullptr;
    tile.activation = p.activation;
    tile.alpha = p.alpha;
    tile.at = set.at;

    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      const std::int64_t vectors = panels.vectors(panel), width = vectors * panels.width;
      const std::int64_t column = panels.first_column(panel);
      const float* b = packed + panels.offset(panel, p.depth);
      const float* const b_end = packed + panels.total_vectors * panels.width * p.depth;
      Tile t = tile;
      t.c += column;
      if (t.residual != nullptr) t.residual += column;
      t.bias = p.bias != nullptr ? p.bias + batch * p.bias_stride + column : nullptr;
      t.columns = min_i64(width, p.columns - column);
      const Parts parts(p.depth, width, source.unit());
      for (std::int64_t part = 0; part < parts.count; ++part) {
        const std::int64_t begin = parts.begin(part), end = parts.begin(part + 1);
        const float* const next = b + end * width;  // the next part, the next panel, or the end of B
        for (std::int64_t i = first_tile; i < last_tile; ++i) {
          const std::int64_t first = i * p.rows / grid.tiles;
          const int count = static_cast<int>((i + 1) * p.rows / grid.tiles - first);
          if (p.lower_triangle && first + count <= column) continue;
          set.a = pointers.data();
          source.rows(batch, first, count, set);
          if (!cut(set, count, p.a_step, begin, end, t)) continue;
          t.b = b + (max_i64(set.b_row, begin)) * width;
          // The last tiles of a part call in what B has next, a share each; the others the next rows of A.
          const std::int64_t lines = t.taps * t.depth, share = last_tile - 1 - i;
          const float* ahead = next + share * lines * kLine;
          if (share < vectors && ahead + lines * kLine <= b_end)
            t.prefetch = ahead;
          else
            t.prefetch = source.contiguous() ? set.a[0] + count * set.depth : t.b;
          engine.tile[count - 1][vectors - 1](t);
        }
      }
    }
  });
}

}  // namespace fastcnn::gemm

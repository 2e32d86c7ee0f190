// Computes   conv2d_int8 as a matrix product: a row is an output pixel, a column a filter, the sum runs over the
//            window.
// Layout     of rows, one of three: where the picture is such a matrix already (1 x 1, stride 1, channels a multiple of
//            the engine's `terms`) it is read in place. Windows of stride 1 whose rows are such a multiple are read in
//            strips: rows of the picture copied with their border into the thread's scratch, where each pixel begins a
//            window; windows that begin in the border are left out, or computed, too, and dropped. Other windows, and
//            those of less than a step, are copied, each to a row. Weights are packed once (Int8Packing).
// Why        a copied window is a byte a term, which is much where there are few filters; a strip is a byte a pixel.
//            Tiles of either have rows of several lines of the picture, whatever its width.
// Needs      an Int8Engine.
// Accuracy   exact sums; then the contract's formula.
#include <cstring>

#include "gemm/blocking.h"
#include "ops/conv2d_int8/conv2d_int8.h"
#include "ops/quantize/int8_attrs.h"

#if FC_X86
namespace fastcnn {
namespace {

// Bytes of a task's rows, and of the weights they meet: both in L2.
constexpr std::int64_t kRowBytes = 384 * 1024, kWeightBytes = 1024 * 1024;
constexpr std::int64_t kMaxRows = 256, kMinRows = 64;
// Weights that stay near while a task's rows go by; else its rows do while panels go by.
constexpr std::int64_t kNearBytes = 256 * 1024;
// Multiply-adds that are worth a task, and as many tasks as are wanted at least where there is such work.
constexpr std::int64_t kTaskWork = std::int64_t{1} << 21, kTasks = 16;
// Tasks that share rows copy them all, so for no fewer panels than these.
constexpr std::int64_t kCopyPanels = 8;

class Product {
 public:
  Product(const Int8Engine& engine, const KernelArgs& args)
      : engine_(engine),
        p_(args.problem.as<Conv2dInt8Params>()),
        packing_{engine.row_items, engine.packed_pairs, p_.depth(), p_.filters},
        operands_(int8_operands(p_.end, args)),
        finish_(int8_finish(p_.end, args)),
        packed_(args.in[1].as<unsigned char>()),
        columns_(static_cast<Int8Columns*>(args.workspace)) {
    const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
    const auto& [h, w] = p_.window;
    windows_ = {operands_.x, p_.window, x[1], x[2], x[3], y[1], y[2], static_cast<std::uint8_t>(p_.end.x.zero_point)};
    rows_ = y[0] * y[1] * y[2];
    const bool step = h.stride == 1 && w.stride == 1;
    const bool bytes = engine.row_items == 1;
    const bool same = h.size == 1 && w.size == 1 && h.before == 0 && w.before == 0 && y[1] == x[1] && y[2] == x[2];
    in_place_ = bytes && step && same && p_.channels % engine.terms == 0;
    strips_ = bytes && step && !in_place_ && w.dilation == 1 && w.size * p_.channels % engine.terms == 0 &&
              p_.depth() >= kInt8Step && (engine.gaps || y[2] + w.size - 1 <= kMaxRows);
    cut();
    for (std::int64_t panel = 0; panel < packing_.panels(); ++panel)
      set_columns(finish_, p_.end, operands_, reinterpret_cast<const std::int32_t*>(packed_), panel * kInt8Columns,
                  columns_of(panel), columns_[panel]);
  }

  void run() const {
    parallel_for(row_tasks_ * groups_, scratch_bytes(), [&](std::int64_t task, void* scratch) {
      const std::int64_t begin = task % groups_ * panels_, end = min_i64(packing_.panels(), begin + panels_);
      if (engine_.begin != nullptr) engine_.begin();
      strips_ ? run_strip(task / groups_, begin, end, scratch) : run_rows(task / groups_, begin, end, scratch);
      if (engine_.end != nullptr) engine_.end();
    });
  }

 private:
  std::int64_t line() const { return windows_.out_width + p_.window.w.size - 1; }  // pixels of a strip's row

  std::int64_t block_rows() const { return std::int64_t{kInt8BlockTiles} * engine_.tile_rows; }
  std::int64_t scratch_bytes() const {
    // The last rows of the last block begin beyond the strip's windows.
    if (strips_) return ((lines_ + p_.window.h.extent() - 1) * line() + block_rows() + p_.window.w.size) * p_.channels;
    return in_place_ && rows_ % engine_.rows == 0 ? 0 : task_rows_ * packing_.padded_depth() * engine_.row_items;
  }

  // Cuts the product by its shape alone.
  void cut() {
    const auto& h = p_.window.h;
    const std::int64_t wanted = max_i64(1, min_i64(kTasks, rows_ * packing_.depth * packing_.columns / kTaskWork));
    const bool near = packing_.panels() * packing_.panel_bytes() <= kWeightBytes;
    const std::int64_t share = near ? max_i64(kMinRows, ceil_div(rows_, wanted)) : rows_;
    if (strips_) {
      const std::int64_t most = kRowBytes / (line() * p_.channels) - (h.extent() - 1);
      lines_ = max_i64(1, min_i64(most, ceil_div(share, line())));
      lines_ = ceil_div(windows_.out_height, ceil_div(windows_.out_height, lines_));
      strips_a_picture_ = ceil_div(windows_.out_height, lines_);
      row_tasks_ = rows_ / (windows_.out_height * windows_.out_width) * strips_a_picture_;
    } else {
      std::int64_t most = min_i64(share, kRowBytes / (packing_.padded_depth() * engine_.row_items));
      most = max_i64(block_rows(), min_i64(kMaxRows, most) / block_rows() * block_rows());
      task_rows_ = round_up(ceil_div(rows_, ceil_div(rows_, most)), block_rows());
      row_tasks_ = ceil_div(rows_, task_rows_);
    }
    panels_ = max_i64(in_place_ ? 1 : kCopyPanels, ceil_div(packing_.panels(), ceil_div(wanted, row_tasks_)));
    groups_ = ceil_div(packing_.panels(), panels_);
  }

  std::int64_t columns_of(std::int64_t panel) const { return min_i64(kInt8Columns, p_.filters - panel * kInt8Columns); }

  // Panels [begin, end) for `rows` rows, block by block: body(first row, rows, panel, sums) finishes one.
  template <class Body>
  void multiply(Int8Factors f, std::int64_t rows, std::int64_t begin, std::int64_t end, const Body& body) const {
    // Where rows lie in lines, tiles end where these do, as even as can be; two short lines are one.
    const std::int64_t most = engine_.tile_rows, line = 2 * f.line <= most ? 2 * f.line : f.line;
    const std::int64_t tiles = ceil_div(line, most), tile_rows = engine_.gaps ? ceil_div(line, tiles) : most;
    const std::int64_t blocks = ceil_div(ceil_div(rows, line) * tiles, kInt8BlockTiles);
    const auto first_of = [&](std::int64_t block) {
      const std::int64_t tile = block * kInt8BlockTiles;
      return min_i64(rows, tile / tiles * line + min_i64(line, tile % tiles * tile_rows));
    };
    alignas(64) std::int32_t sums[kInt8BlockTiles * kInt8TileRows * kInt8Columns];
    const unsigned char* panels = packed_ + packing_.header_bytes();
    const bool near = packing_.panels() * packing_.panel_bytes() <= kNearBytes;
    const auto set_rows = [&](std::int64_t block) {
      f.first = first_of(block), f.rows = first_of(block + 1) - f.first;
    };
    const auto multiply_block = [&](std::int64_t block, std::int64_t panel) {
      f.panel = panels + panel * packing_.panel_bytes();
      f.start = columns_[panel].start;
      f.next_bytes = 0;
      if (near && block == 0) {  // weights come from afar once
        f.next = static_cast<const unsigned char*>(f.panel) + gemm::kSplitStreamAhead;
        f.next_bytes = packing_.panel_bytes();
      } else if (!near && panel + 1 < packing_.panels()) {  // each block calls in its share of the next panel
        f.next_bytes = round_up(ceil_div(packing_.panel_bytes(), blocks), 64);
        f.next = panels + (panel + 1) * packing_.panel_bytes() + block * f.next_bytes;
      }
      engine_.multiply(f, sums);
      body(f.first, f.rows, panel, sums);
    };
    if (near) {
      for (std::int64_t block = 0; block < blocks; ++block) {
        set_rows(block);
        for (std::int64_t panel = begin; panel < end; ++panel) multiply_block(block, panel);
      }
    } else {
      for (std::int64_t panel = begin; panel < end; ++panel)
        for (std::int64_t block = 0; block < blocks; ++block) {
          set_rows(block);
          multiply_block(block, panel);
        }
    }
  }

  // Results of `count` neighbouring pixels from `pixel` on.
  void finish(const std::int32_t* sums, std::int64_t pixel, std::int64_t count, std::int64_t panel) const {
    const std::int64_t at = pixel * p_.filters + panel * kInt8Columns;
    engine_.finish({&finish_, &columns_[panel], sums, count, columns_of(panel),
                    operands_.residual + at * operands_.residual_item, operands_.y + at * operands_.y_item,
                    p_.filters});
  }

  void run_rows(std::int64_t task, std::int64_t begin, std::int64_t end, void* scratch) const {
    const std::int64_t first = task * task_rows_, count = min_i64(task_rows_, rows_ - first);
    const bool copies = !in_place_ || count % engine_.rows != 0;
    const std::int64_t pitch = copies ? packing_.padded_depth() : p_.channels;
    unsigned char* copy = static_cast<unsigned char*>(scratch);
    if (copies) engine_.copy(windows_, first, count, copy, pitch);
    const Int8Factors f{.a = copies ? copy : operands_.x + first * pitch,
                        .pitch = pitch,
                        .tap_pitch = 0,
                        .line = count,
                        .gap = 0,
                        .taps = 1,
                        .run = packing_.depth};
    multiply(f, count, begin, end, [&](std::int64_t r, std::int64_t n, std::int64_t panel, const std::int32_t* sums) {
      finish(sums, first + r, n, panel);
    });
  }

  void run_strip(std::int64_t task, std::int64_t begin, std::int64_t end, void* scratch) const {
    const auto& [h, w] = p_.window;
    const std::int64_t picture = task / strips_a_picture_, top = task % strips_a_picture_ * lines_;
    const std::int64_t lines = min_i64(lines_, windows_.out_height - top), width = line();
    const std::int64_t line_bytes = width * p_.channels, copied = lines + h.extent() - 1;
    unsigned char* strip = static_cast<unsigned char*>(scratch);
    const std::uint8_t* x = windows_.x + picture * windows_.height * windows_.width * p_.channels;
    for (std::int64_t i = 0; i < copied; ++i) copy_line(x, top - h.before + i, strip + i * line_bytes);
    const std::int64_t pixel = (picture * windows_.out_height + top) * windows_.out_width;
    Int8Factors f{.a = strip,
                  .pitch = p_.channels,
                  .tap_pitch = h.dilation * line_bytes,
                  .line = lines * width,
                  .gap = 0,
                  .taps = h.size,
                  .run = w.size * p_.channels};
    if (engine_.gaps) {
      f.line = windows_.out_width;
      f.gap = (width - windows_.out_width) * p_.channels;
      multiply(f, lines * windows_.out_width, begin, end,
               [&](std::int64_t r, std::int64_t n, std::int64_t panel, const std::int32_t* sums) {
                 finish(sums, pixel + r, n, panel);
               });
      return;
    }
    multiply(f, lines * width, begin, end,
             [&](std::int64_t r, std::int64_t n, std::int64_t panel, const std::int32_t* sums) {
               for (std::int64_t done = 0; done < n;) {
                 const std::int64_t i = (r + done) / width, j = (r + done) % width;
                 const std::int64_t run = min_i64(n - done, width - j), real = min_i64(run, windows_.out_width - j);
                 if (real > 0) finish(sums + done * kInt8Columns, pixel + i * windows_.out_width + j, real, panel);
                 done += run;
               }
             });
  }

  // Row `i` of a picture, which may lie outside, with its border.
  void copy_line(const std::uint8_t* picture, std::int64_t i, unsigned char* to) const {
    const auto bytes = [&](std::int64_t pixels) { return static_cast<std::size_t>(pixels * p_.channels); };
    if (i < 0 || i >= windows_.height) {
      std::memset(to, windows_.zero, bytes(line()));
      return;
    }
    const std::int64_t before = min_i64(line(), p_.window.w.before);
    const std::int64_t inside = max_i64(0, min_i64(windows_.width, line() - before));
    std::memset(to, windows_.zero, bytes(before));
    std::memcpy(to + before * p_.channels, picture + i * windows_.width * p_.channels, bytes(inside));
    std::memset(to + (before + inside) * p_.channels, windows_.zero, bytes(line() - before - inside));
  }

  const Int8Engine& engine_;
  const Conv2dInt8Params& p_;
  Int8Packing packing_;
  Int8Operands operands_;
  Int8Finish finish_;
  const unsigned char* packed_;
  Int8Columns* columns_;  // of each panel
  CodeWindows windows_;
  std::int64_t rows_;  // of the matrix
  bool in_place_, strips_;
  std::int64_t row_tasks_ = 0, groups_ = 0, panels_ = 0;  // panels of a group, the last may have fewer
  std::int64_t task_rows_ = 0;                            // rows of a task, likewise
  std::int64_t lines_ = 0, strips_a_picture_ = 0;         // rows of the picture in a strip
};

}  // namespace

std::int64_t conv2d_int8_workspace(const Problem& problem) {
  return int8_blocks(problem.as<Conv2dInt8Params>().filters) * static_cast<std::int64_t>(sizeof(Int8Columns));
}

void conv2d_int8(const Int8Engine& engine, const KernelArgs& args) { Product(engine, args).run(); }

void conv2d_int8_pack(int item, int pairs, const KernelArgs& args) {
  const Shape& s = args.in[0].shape();
  const Int8Packing packing{item, pairs, s.product(0, 3), s[3]};
  const auto* w = args.in[0].as<std::int8_t>();
  auto* to = args.out[0].as<unsigned char>();
  std::memset(to, 0, static_cast<std::size_t>(packing.bytes()));
  auto* sums = reinterpret_cast<std::int32_t*>(to);
  parallel_for(packing.panels(), [&](std::int64_t panel) {
    unsigned char* tiles = to + packing.header_bytes() + panel * packing.panel_bytes();
    const std::int64_t first = panel * kInt8Columns, count = min_i64(kInt8Columns, packing.columns - first);
    for (std::int64_t k = 0; k < packing.depth; ++k)
      for (std::int64_t n = 0; n < count; ++n) {
        const std::int8_t value = w[k * packing.columns + first + n];
        sums[first + n] += value;
        const std::int64_t tile = k / kInt8Step * 2 + n / 16, inside = k % kInt8Step;
        const std::int64_t at = tile * kInt8Step * 16 + inside / pairs * 16 * pairs + n % 16 * pairs + inside % pairs;
        if (item == 1)
          reinterpret_cast<std::int8_t*>(tiles)[at] = value;
        else
          reinterpret_cast<std::int16_t*>(tiles)[at] = value;
      }
  });
}

}  // namespace fastcnn

#endif  // FC_X86

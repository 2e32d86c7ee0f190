// Tiles of rows are neighbouring output pixels of one row of the result, so that their windows lie at one distance in
// the picture: they are loaded from the picture itself, or, where windows cross its edges, from a copy with zeros
// around it. So a pixel is copied once at most, and not once for each tap. A row of a window is one run of terms; the
// weights of what follows it in its last tile are zeros.
#include "ops/bf16_windows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/bf16.h"
#include "core/thread_pool.h"
#include "gemm/split_gemm.h"

#if FC_X86
namespace fastcnn {
namespace {

using gemm::kSplitColumns, gemm::kSplitDepth, gemm::kSplitRows, gemm::kSplitTileBytes, gemm::kSplitTiles;

constexpr std::int64_t kItem = sizeof(Bf16);
constexpr std::int64_t kPanelColumns = kSplitTiles * kSplitColumns;
constexpr std::int64_t kStepBytes = kSplitTiles * kSplitTileBytes;  // of a panel of B

// What of the picture a task reads, while it stays in L2 beside B, or beside a panel of B.
constexpr std::int64_t kPictureBytes = 256 * 1024, kLargePictureBytes = 1024 * 1024;
// Few terms: a tile of many rows takes longer to make ready and to finish than to multiply, and calling in a result
// that is near from layer to layer costs more than it saves.
constexpr std::int64_t kShortSum = 64;
constexpr std::int64_t kSlack = kSplitDepth * kItem;  // after a copy: what the last tile may read
// Tasks that are wanted, as far as each has so many products of numbers, so many rows of a picture where windows of
// several overlap, and so many panels, or more where each would copy its part of the picture.
constexpr std::int64_t kTasks = 12, kTaskProducts = std::int64_t{1} << 19;
constexpr std::int64_t kLeastRows = 4, kLeastPanels = 2, kLeastPanelsOfCopy = 4;

// How the problem is cut, all by its shape.
struct Grid {
  const Bf16Windows& p;
  std::int64_t channels;
  std::int64_t x_height, x_width, pitch;  // of the picture, and its bytes a pixel
  std::int64_t pictures, height, width;   // of the result
  bool linear;                            // windows are pixels: all rows of the result are one
  bool inside;                            // no window crosses an edge of the picture, or windows are empty
  std::int64_t terms, steps_in_row;       // of a row of a window; the last tile may have more terms
  std::int64_t tiles, tile_rows;          // of a row of the result
  std::int64_t panels, steps;
  std::int64_t row_chunks, chunk, column_chunks;  // a task is so many rows (linear: tiles), and some panels
  bool resident;                                  // B stays in L2
  bool calls_in;                                  // lines of the result, before they are written
  bool short_sums;                                // of few terms, for a kernel of their own

  explicit Grid(const Bf16Windows& product) : p(product) {
    const Shape& x = p.x.shape();
    pictures = x[0], x_height = x[1], x_width = x[2], channels = x[3], pitch = p.x.pixel_pitch() * kItem;
    height = p.height, width = p.width;
    const auto &h = p.window.h, &w = p.window.w;
    inside = h.size * w.size == 0 || (h.before <= 0 && w.before <= 0 && h.start(height - 1) + h.extent() <= x_height &&
                                      w.start(width - 1) + w.extent() <= x_width);
    linear = h.size == 1 && w.size == 1 && h.stride == 1 && w.stride == 1 && height == x_height && width == x_width &&
             inside && p.row == width * p.pixel && p.picture == height * p.row;
    if (linear) {
      x_width = width = pictures * height * width;
      pictures = height = x_height = 1;
    }
    terms = w.size * channels;
    steps_in_row = ceil_div(terms, kSplitDepth);
    tiles = ceil_div(width, p.engine.tile_rows);
    tile_rows = ceil_div(width, tiles);
    panels = ceil_div(p.filters, kPanelColumns);
    steps = h.size * steps_in_row;

    resident = panels * steps * kStepBytes <= gemm::kSplitResidentBytes;
    const std::int64_t units = linear ? tiles : height;
    const std::int64_t unit_bytes = (linear ? tile_rows : h.stride * x_width) * channels * kItem;
    const std::int64_t most = max_i64(kSplitTiles, (resident ? kPictureBytes : kLargePictureBytes) / unit_bytes);
    const bool few = h.size * terms <= kShortSum;
    const std::int64_t item = p.bf16_c ? sizeof(Bf16) : sizeof(float);
    calls_in = !few || p.residual != nullptr || pictures * height * width * p.filters * item > gemm::kNearResult;
    short_sums = few && (linear ? channels % 2 == 0 : h.size > 0 && w.dilation == 1) && resident &&
                 p.engine.multiply_short != nullptr && bounds_suffice(p.activation);
    const std::int64_t products = pictures * height * width * steps * kSplitDepth * p.filters;
    const std::int64_t wanted = max_i64(1, min_i64(kTasks, products / kTaskProducts));
    row_chunks = ceil_div(units, most);
    if (resident) {
      const std::int64_t least = linear ? kSplitTiles : h.size > 1 ? kLeastRows : ceil_div(kSplitTiles, tiles);
      row_chunks = max_i64(row_chunks, min_i64(ceil_div(wanted, pictures), units / least));
    }
    chunk = ceil_div(units, row_chunks);
    if (linear) chunk = round_up(chunk, kSplitTiles);
    row_chunks = ceil_div(units, chunk);
    column_chunks = max_i64(
        1, min_i64(panels / (linear ? kLeastPanels : kLeastPanelsOfCopy), ceil_div(wanted, row_chunks * pictures)));
  }
  std::int64_t tasks() const { return pictures * row_chunks * column_chunks; }
  // Of terms that count in the last step of a run.
  int last_pairs() const { return static_cast<int>(ceil_div(terms - (steps_in_row - 1) * kSplitDepth, 2)); }
  std::int64_t runs() const { return p.window.h.size * (p.window.w.dilation == 1 ? 1 : p.window.w.size); }

  // The part of the picture that a task copies: rows, pixels of each, bytes.
  std::int64_t copied_rows() const { return linear ? 1 : (chunk - 1) * p.window.h.stride + p.window.h.extent(); }
  std::int64_t copied_pixels() const {
    return linear ? min_i64(width, (chunk + 1) * tile_rows) : (width - 1) * p.window.w.stride + p.window.w.extent();
  }
  std::int64_t copied_bytes() const { return copied_rows() * copied_pixels() * channels * kItem + kSlack; }
  // Whether a task that ends before the last row (linear: tile) of the picture, or ends there, needs no copy. The last
  // tile of a window's row may hold terms beyond it: in the next pixels, which the plan has computed and which are
  // multiplied by zeros.
  bool direct(bool last) const { return inside && (terms % kSplitDepth == 0 || (!last && pitch == channels * kItem)); }
};

// Output pixels that a tile computes. The last of a row starts early enough to have all its rows; what the one before
// has computed too is not stored.
struct Place {
  std::int64_t row, first, skip;
};

class Task {
 public:
  Task(const Grid& grid, void* memory)
      : grid_(grid), p_(grid.p), engine_(grid.p.engine), memory_(static_cast<unsigned char*>(memory)) {
    runs_ = reinterpret_cast<gemm::SplitRun*>(memory_);
    sums_ = reinterpret_cast<float*>(memory_ + runs_bytes(grid));
    copy_ = memory_ + runs_bytes(grid) + kSumsBytes;
  }
  static std::int64_t runs_bytes(const Grid& grid) {
    return round_up(grid.runs() * static_cast<std::int64_t>(sizeof(gemm::SplitRun)), 64);
  }
  static std::int64_t bytes(const Grid& grid) { return runs_bytes(grid) + kSumsBytes + grid.copied_bytes(); }

  void compute(std::int64_t picture, std::int64_t row_chunk, std::int64_t column_chunk) {
    const std::int64_t first = column_chunk * grid_.panels / grid_.column_chunks;
    const std::int64_t last = (column_chunk + 1) * grid_.panels / grid_.column_chunks;
    if (grid_.short_sums && grid_.linear) return compute_short(row_chunk, first, last);
    const std::int64_t units = grid_.linear ? grid_.tiles : grid_.height;
    const std::int64_t begin = row_chunk * grid_.chunk, end = min_i64(units, begin + grid_.chunk);
    first_row_ = grid_.linear ? 0 : begin;
    picture_ = picture;
    first_tile_ = grid_.linear ? begin : begin * grid_.tiles;
    last_tile_ = grid_.linear ? end : end * grid_.tiles;
    direct_ = grid_.direct(end == units && picture + 1 == grid_.pictures);
    locate(begin, end);
    if (grid_.short_sums) return compute_short_windows(begin, end, first, last);
    const std::int64_t strips = ceil_div(last_tile_ - first_tile_, kSplitTiles);
    engine_.configure(static_cast<int>(grid_.tile_rows));
    set_problem();
    find_rows(0, at_ahead_);
    if (grid_.resident) {  // whole pixels of the result are written together
      const std::int64_t share = next_strip_share(last - first);
      for (std::int64_t s = 0; s < strips; ++s) {
        set_strip(s, strips);
        for (std::int64_t panel = first; panel < last; ++panel) {
          set_panel(panel);
          if (s == 0)  // B comes from afar once
            call_in(panel_of_b(panel) + gemm::kSplitStreamAhead, panel_step(panel));
          else if (s + 1 < strips)
            call_in(runs_->a[0] + strip_bytes() + (panel - first) * grid_.steps * share, share);
          else
            call_in(nullptr, 0);
          engine_.multiply(product_);
        }
      }
    } else {
      for (std::int64_t panel = first; panel < last; ++panel) {
        set_panel(panel);
        // The next panel, which may be the next task's, is called in, a share with each strip.
        const std::int64_t share = panel + 1 < grid_.panels ? round_up(ceil_div(panel_step(panel + 1), strips), 64) : 0;
        if (panel > first) find_rows(0, at_ahead_);
        for (std::int64_t s = 0; s < strips; ++s) {
          set_strip(s, strips);
          call_in(panel_of_b(panel + 1) + s * grid_.steps * share, share);
          engine_.multiply(product_);
        }
      }
    }
    engine_.release();
  }

 private:
  static constexpr std::int64_t kSumsBytes = kSplitTiles * kSplitTiles * kSplitTileBytes;

  // Some rows at a time, so that whole pixels of the result are written together.
  void compute_short(std::int64_t row_chunk, std::int64_t first, std::int64_t last) {
    constexpr std::int64_t kRows = 64;
    const std::int64_t chunk = grid_.chunk * grid_.tile_rows, begin = row_chunk * chunk;
    const std::int64_t end = min_i64(grid_.width, begin + chunk);
    set_problem();
    for (std::int64_t row = begin; row < end; row += kRows)
      for (std::int64_t panel = first; panel < last; ++panel) {
        set_panel(panel, row * p_.pixel);
        engine_.multiply_short({.a = p_.x.as<unsigned char>() + row * grid_.pitch,
                                .b = product_.b,
                                .row_stride = grid_.pitch,
                                .rows = min_i64(kRows, end - row),
                                .pitch = p_.pixel,
                                .pairs = static_cast<int>(grid_.channels / 2),
                                .calls_in = grid_.calls_in,
                                .finish = &finish_});
      }
  }

  // Of rows [begin, end) of the result.
  void compute_short_windows(std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
    const auto &h = p_.window.h, &w = p_.window.w;
    set_problem();
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t panel = first; panel < last; ++panel) {
        set_panel(panel, picture_ * p_.picture + row * p_.row);
        engine_.multiply_short({.a = from_ + (row - first_row_) * h.stride * row_,
                                .b = product_.b,
                                .row_stride = w.stride * pixel_,
                                .rows = grid_.width,
                                .pitch = p_.pixel,
                                .pairs = static_cast<int>(ceil_div(grid_.terms, 2)),
                                .num_runs = static_cast<int>(h.size),
                                .run_stride = h.dilation * row_,
                                .calls_in = grid_.calls_in && row + 1 < end,
                                .finish = &finish_});
      }
  }

  // Where the tiles of output rows (linear: tiles) [begin, end) are read: in the picture, or in a copy of that part.
  void locate(std::int64_t begin, std::int64_t end) {
    const auto &h = p_.window.h, &w = p_.window.w;
    const auto* picture = p_.x.as<unsigned char>() + picture_ * grid_.x_height * grid_.x_width * grid_.pitch;
    if (direct_) {
      pixel_ = grid_.pitch, row_ = grid_.x_width * grid_.pitch;
      from_ = picture + h.start(first_row_) * row_ + w.start(0) * pixel_;
      return;
    }
    pixel_ = grid_.channels * kItem, row_ = grid_.copied_pixels() * pixel_;
    const std::int64_t top = grid_.linear ? 0 : h.start(begin), left = grid_.linear ? place(begin).first : w.start(0);
    const std::int64_t rows = grid_.linear ? 1 : (end - 1 - begin) * h.stride + h.extent();
    const std::int64_t pixels = grid_.linear ? place(end - 1).first + grid_.tile_rows - left : grid_.copied_pixels();
    for (std::int64_t r = 0; r < rows; ++r)
      copy_row(top + r >= 0 && top + r < grid_.x_height ? picture + (top + r) * grid_.x_width * grid_.pitch : nullptr,
               left, pixels, copy_ + r * row_);
    std::memset(copy_ + (rows - 1) * row_ + pixels * pixel_, 0, kSlack);
    from_ = copy_ - (grid_.linear ? left * pixel_ : 0);
  }

  // Pixels [left, left + pixels) of a row of the picture, zeros where there are none.
  void copy_row(const unsigned char* row, std::int64_t left, std::int64_t pixels, unsigned char* to) const {
    const std::int64_t begin = row == nullptr ? pixels : min_i64(pixels, max_i64(0, -left));
    const std::int64_t end = max_i64(begin, min_i64(pixels, grid_.x_width - left));
    std::memset(to, 0, static_cast<std::size_t>(begin * pixel_));
    if (begin < end) {
      const unsigned char* from = row + (left + begin) * grid_.pitch;
      unsigned char* at = to + begin * pixel_;
      if (pixel_ == grid_.pitch)
        std::memcpy(at, from, static_cast<std::size_t>((end - begin) * pixel_));
      else
        for (std::int64_t i = begin; i < end; ++i, at += pixel_, from += grid_.pitch)
          std::memcpy(at, from, static_cast<std::size_t>(pixel_));
    }
    std::memset(to + end * pixel_, 0, static_cast<std::size_t>((pixels - end) * pixel_));
  }

  Place place(std::int64_t tile) const {
    const std::int64_t row = tile / grid_.tiles, first = tile % grid_.tiles * grid_.tile_rows;
    const std::int64_t start = min_i64(first, grid_.width - grid_.tile_rows);
    return {row, start, first - start};
  }

  const unsigned char* panel_of_b(std::int64_t panel) const {
    return reinterpret_cast<const unsigned char*>(p_.packed) + panel * grid_.steps * kStepBytes;
  }
  int column_tiles(std::int64_t panel) const {
    const std::int64_t columns = p_.filters - panel * kPanelColumns;
    return static_cast<int>(min_i64(kSplitTiles, ceil_div(columns, kSplitColumns)));
  }
  std::int64_t panel_step(std::int64_t panel) const { return column_tiles(panel) * std::int64_t{kSplitTileBytes}; }

  int row_tiles(std::int64_t strip) const {
    return static_cast<int>(min_i64(kSplitTiles, last_tile_ - first_tile_ - strip * kSplitTiles));
  }
  std::int64_t strip_bytes() const { return kSplitTiles * grid_.tile_rows * pixel_; }
  // Bytes of the next strip's pixels to call in with each step, where strips follow each other in the picture.
  std::int64_t next_strip_share(std::int64_t panels) const {
    return grid_.linear && direct_ ? round_up(ceil_div(strip_bytes(), grid_.steps * panels), 64) : 0;
  }
  std::int64_t tile_of(std::int64_t strip) const { return first_tile_ + strip * kSplitTiles; }

  // Where the rows of a strip start in the result.
  void find_rows(std::int64_t strip, std::int64_t* at) const {
    std::int64_t* const end = at + kSplitTiles * kSplitRows;
    for (int t = 0; t < row_tiles(strip); ++t) {
      const Place to = place(tile_of(strip) + t);
      const std::int64_t start = picture_ * p_.picture + to.row * p_.row + to.first * p_.pixel;
      for (std::int64_t r = 0; r < grid_.tile_rows; ++r) *at++ = r < to.skip ? -1 : start + r * p_.pixel;
    }
    std::fill(at, end, -1);
  }

  // The runs of a strip.
  void aim(std::int64_t strip) {
    const auto &h = p_.window.h, &w = p_.window.w;
    const int row_tiles = this->row_tiles(strip);
    const unsigned char* a[kSplitTiles] = {};
    for (int t = 0; t < row_tiles; ++t) {
      const Place to = place(tile_of(strip) + t);
      a[t] = from_ + (to.row - first_row_) * h.stride * row_ + to.first * w.stride * pixel_;
    }
    const std::int64_t taps = w.dilation == 1 ? 1 : w.size;
    const std::int64_t steps = grid_.steps_in_row / taps;
    gemm::SplitRun* run = runs_;
    for (std::int64_t kh = 0; kh < h.size; ++kh)
      for (std::int64_t kw = 0; kw < taps; ++kw, ++run) {
        const std::int64_t offset = kh * h.dilation * row_ + kw * w.dilation * pixel_;
        *run = {{a[0] + offset, a[row_tiles - 1] + offset}, steps};
      }
  }

  // What all products of the task share, what those of a strip do, and of a panel.
  void set_problem() {
    finish_ = {.sums = sums_,
               .tile_rows = static_cast<int>(grid_.tile_rows),
               .bf16_c = p_.bf16_c,
               .bf16_residual = p_.bf16_residual,
               .activation = p_.activation,
               .alpha = p_.alpha};
    product_ = {.runs = runs_,
                .num_runs = static_cast<int>(grid_.runs()),
                .row_stride = p_.window.w.stride * pixel_,
                .step_stride = kSplitDepth * kItem,
                .tile_rows = static_cast<int>(grid_.tile_rows),
                .last_pairs = grid_.last_pairs(),
                .c = sums_,
                .finish = &finish_};
  }
  // After the strip before it, or find_rows().
  void set_strip(std::int64_t strip, std::int64_t strips) {
    std::swap(at_, at_ahead_);
    aim(strip);
    product_.row_tiles = row_tiles(strip);
    finish_.rows = static_cast<int>(product_.row_tiles * grid_.tile_rows);
    finish_.at = at_;
    if (strip + 1 < strips) find_rows(strip + 1, at_ahead_);
    finish_.ahead = strip + 1 < strips && grid_.calls_in ? at_ahead_ : nullptr;
  }
  void set_panel(std::int64_t panel, std::int64_t start = 0) {
    const std::int64_t column = panel * kPanelColumns;
    product_.b = panel_of_b(panel);
    product_.column_tiles = finish_.column_tiles = column_tiles(panel);
    finish_.columns = min_i64(kPanelColumns, p_.filters - column);
    finish_.c = gemm::element(p_.c, p_.bf16_c, start + column);
    finish_.residual = gemm::element(p_.residual, p_.bf16_residual, start + column);
    finish_.bias = p_.bias != nullptr ? p_.bias + column : nullptr;
  }
  void call_in(const unsigned char* next, std::int64_t bytes) { product_.next = next, product_.next_bytes = bytes; }

  const Grid& grid_;
  const Bf16Windows& p_;
  const gemm::SplitEngine& engine_;
  unsigned char* memory_;
  gemm::SplitRun* runs_;
  float* sums_;
  unsigned char* copy_;  // of a part of the picture
  bool direct_ = false;  // tiles are read in the picture itself
  const unsigned char* from_ = nullptr;
  std::int64_t pixel_ = 0, row_ = 0;  // bytes to the next, where the tiles are read
  std::int64_t picture_ = 0, first_row_ = 0;
  std::int64_t first_tile_ = 0, last_tile_ = 0;
  gemm::SplitProduct product_{};
  gemm::SplitFinish finish_{};
  // Of the strip and of the next.
  std::int64_t rows_[2][kSplitTiles * kSplitRows], *at_ = rows_[0], *at_ahead_ = rows_[1];
};

}  // namespace

void multiply(const Bf16Windows& windows) {
  if (windows.x.shape()[0] * windows.height * windows.width == 0) return;
  const Grid grid(windows);
  parallel_for(grid.tasks(), Task::bytes(grid), [&](std::int64_t index, void* memory) {
    const std::int64_t rest = index / grid.column_chunks;
    Task(grid, memory).compute(rest / grid.row_chunks, rest % grid.row_chunks, index % grid.column_chunks);
  });
}

}  // namespace fastcnn

#endif  // FC_X86

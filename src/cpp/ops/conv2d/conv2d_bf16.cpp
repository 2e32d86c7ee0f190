// Computes   conv2d of pictures that are stored in bfloat16, as a matrix product: a row is an output pixel, a column a
//            filter, the sum runs over the window.
// Layout     NHWC; weights packed as for products in one bf16 part (gemm/README.md). A tile of rows is neighbouring
//            output pixels of one row of the result, so that its rows of A lie at one distance in the picture.
// Tile       2 x 2 tiles of C (gemm/gemm_amx.cpp).
// Why        tiles are loaded from the picture itself, or, where windows cross its edges or channels are no multiple of
//            32, from a copy with zeros around it: so a pixel is copied once and not once for each tap.
// Needs      AMX; one group; channels that are a multiple of 32, or a window of one pixel.
// Accuracy   gemm/gemm_amx.cpp: of the stored numbers, products are exact and sums are in float32.
#include <cstring>

#include "core/bf16.h"
#include "core/thread_pool.h"
#include "gemm/split_gemm.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {
namespace {

using gemm::kSplitColumns, gemm::kSplitDepth, gemm::kSplitRows, gemm::kSplitTileBytes, gemm::kSplitTiles;

constexpr std::int64_t kItem = sizeof(Bf16);
constexpr std::int64_t kPanelColumns = kSplitTiles * kSplitColumns;
constexpr std::int64_t kStepBytes = kSplitTiles * kSplitTileBytes;  // of a panel of B

// What of the picture a task reads, while it stays in L2 beside B, or beside a panel of B.
constexpr std::int64_t kPictureBytes = 256 * 1024, kLargePictureBytes = 1024 * 1024;
constexpr std::int64_t kLeastTasks = 4, kLeastPanels = 4;  // tasks of a problem, panels of a task

// How the problem is cut, all by its shape.
struct Grid {
  const Conv2dParams& p;
  std::int64_t x_height, x_width, pitch;  // of the picture, and its bytes a pixel
  std::int64_t pictures, height, width;   // of the result
  bool linear;                            // windows are pixels: all rows of the result are one
  bool direct;                            // tiles are loaded from the picture itself
  std::int64_t depth;                     // channels as the tiles see them: a multiple of 32
  std::int64_t tiles, tile_rows;          // of a row of the result
  std::int64_t panels, steps;
  std::int64_t row_chunks, chunk, column_chunks;  // a task is so many rows (linear: tiles), and some panels
  bool resident;                                  // B stays in L2

  Grid(const Conv2dParams& params, const Tensor& x, const Shape& y)
      : p(params), x_height(x.shape()[1]), x_width(x.shape()[2]), pitch(x.pixel_pitch() * kItem) {
    pictures = y[0], height = y[1], width = y[2];
    const auto &h = p.window.h, &w = p.window.w;
    const bool inside = h.before <= 0 && w.before <= 0 && h.start(height - 1) + h.extent() <= x_height &&
                        w.start(width - 1) + w.extent() <= x_width;
    linear = h.size == 1 && w.size == 1 && h.stride == 1 && w.stride == 1 && height == x_height && width == x_width &&
             inside;
    if (linear) {
      x_width = width = pictures * height * width;
      pictures = height = x_height = 1;
    }
    depth = round_up(p.channels, kSplitDepth);
    direct = inside && depth == p.channels;
    tiles = ceil_div(width, kSplitRows);
    tile_rows = ceil_div(width, tiles);
    panels = ceil_div(p.filters, kPanelColumns);
    steps = h.size * w.size * depth / kSplitDepth;

    resident = panels * steps * kStepBytes <= gemm::kSplitResidentBytes;
    const std::int64_t units = linear ? tiles : height;
    const std::int64_t unit_bytes = (linear ? tile_rows : h.stride * x_width) * depth * kItem;
    const std::int64_t most = max_i64(kSplitTiles, (resident ? kPictureBytes : kLargePictureBytes) / unit_bytes);
    row_chunks = ceil_div(units, most);
    chunk = ceil_div(units, row_chunks);
    if (linear) chunk = round_up(chunk, kSplitTiles);
    row_chunks = ceil_div(units, chunk);
    column_chunks = max_i64(1, min_i64(panels / kLeastPanels, ceil_div(kLeastTasks, row_chunks * pictures)));
  }
  std::int64_t tasks() const { return pictures * row_chunks * column_chunks; }
  std::int64_t runs() const { return p.window.h.size * (p.window.w.dilation == 1 ? 1 : p.window.w.size); }

  // The part of the picture that a task copies: rows, pixels of each, bytes.
  std::int64_t copied_rows() const {
    return linear ? 1 : (chunk - 1) * p.window.h.stride + p.window.h.extent();
  }
  std::int64_t copied_pixels() const {
    return linear ? min_i64(width, (chunk + 1) * tile_rows) : (width - 1) * p.window.w.stride + p.window.w.extent();
  }
  std::int64_t copied_bytes() const { return direct ? 0 : copied_rows() * copied_pixels() * depth * kItem; }
};

// Output pixels that a tile computes. The last of a row starts early enough to have all its rows; what the one before
// has computed too is not stored.
struct Place {
  std::int64_t row, first, skip;
};

class Task {
 public:
  Task(const Grid& grid, const KernelArgs& args, void* memory)
      : grid_(grid), args_(args), engine_(gemm::amx::bf16), memory_(static_cast<unsigned char*>(memory)) {
    runs_ = reinterpret_cast<gemm::SplitRun*>(memory_);
    sums_ = reinterpret_cast<float*>(memory_ + runs_bytes(grid));
    copy_ = memory_ + runs_bytes(grid) + kSumsBytes;
  }
  static std::int64_t runs_bytes(const Grid& grid) {
    return round_up(grid.runs() * static_cast<std::int64_t>(sizeof(gemm::SplitRun)), 64);
  }
  static std::int64_t bytes(const Grid& grid) { return runs_bytes(grid) + kSumsBytes + grid.copied_bytes(); }

  void compute(std::int64_t picture, std::int64_t row_chunk, std::int64_t column_chunk) {
    const std::int64_t units = grid_.linear ? grid_.tiles : grid_.height;
    const std::int64_t begin = row_chunk * grid_.chunk, end = min_i64(units, begin + grid_.chunk);
    first_row_ = grid_.linear ? 0 : begin;
    picture_ = picture;
    const std::int64_t first_tile = grid_.linear ? begin : begin * grid_.tiles;
    const std::int64_t last_tile = grid_.linear ? end : end * grid_.tiles;
    locate(begin, end);
    const std::int64_t first = column_chunk * grid_.panels / grid_.column_chunks;
    const std::int64_t last = (column_chunk + 1) * grid_.panels / grid_.column_chunks;
    const std::int64_t strips = ceil_div(last_tile - first_tile, kSplitTiles);
    engine_.configure(static_cast<int>(grid_.tile_rows));
    for (std::int64_t panel = first; panel < last; ++panel)
      for (std::int64_t s = 0; s < strips; ++s) {
        const std::int64_t tile = first_tile + s * kSplitTiles;
        // While a panel is used, the next is called in, a share with each strip.
        const bool ahead = !grid_.resident && panel + 1 < last;
        const std::int64_t share = ahead ? round_up(ceil_div(panel_step(panel + 1), strips), 64) : 0;
        multiply(tile, static_cast<int>(min_i64(kSplitTiles, last_tile - tile)), panel,
                 ahead ? panel_of_b(panel + 1) + s * grid_.steps * share : nullptr, share);
      }
    engine_.release();
  }

 private:
  static constexpr std::int64_t kSumsBytes = kSplitTiles * kSplitTiles * kSplitTileBytes;

  // Where the tiles of output rows (linear: tiles) [begin, end) are read: in the picture, or in a copy of that part.
  void locate(std::int64_t begin, std::int64_t end) {
    const auto &h = grid_.p.window.h, &w = grid_.p.window.w;
    const auto* picture = args_.in[0].as<unsigned char>() + picture_ * grid_.x_height * grid_.x_width * grid_.pitch;
    if (grid_.direct) {
      pixel_ = grid_.pitch, row_ = grid_.x_width * grid_.pitch;
      from_ = picture + h.start(first_row_) * row_ + w.start(0) * pixel_;
      return;
    }
    pixel_ = grid_.depth * kItem, row_ = grid_.copied_pixels() * pixel_;
    const std::int64_t top = grid_.linear ? 0 : h.start(begin), left = grid_.linear ? place(begin).first : w.start(0);
    const std::int64_t rows = grid_.linear ? 1 : (end - 1 - begin) * h.stride + h.extent();
    const std::int64_t pixels =
        grid_.linear ? place(end - 1).first + grid_.tile_rows - left : grid_.copied_pixels();
    for (std::int64_t r = 0; r < rows; ++r)
      copy_row(top + r >= 0 && top + r < grid_.x_height ? picture + (top + r) * grid_.x_width * grid_.pitch : nullptr,
               left, pixels, copy_ + r * row_);
    from_ = copy_ - (grid_.linear ? left * pixel_ : 0);
  }

  // Pixels [left, left + pixels) of a row of the picture, zeros where there are none.
  void copy_row(const unsigned char* row, std::int64_t left, std::int64_t pixels, unsigned char* to) const {
    const std::int64_t begin = row == nullptr ? pixels : min_i64(pixels, max_i64(0, -left));
    const std::int64_t end = max_i64(begin, min_i64(pixels, grid_.x_width - left));
    std::memset(to, 0, static_cast<std::size_t>(begin * pixel_));
    if (begin < end) {
      const unsigned char* from = row + (left + begin) * grid_.pitch;
      const std::int64_t item = grid_.p.channels * kItem;
      unsigned char* at = to + begin * pixel_;
      if (item == pixel_ && item == grid_.pitch) {
        std::memcpy(at, from, static_cast<std::size_t>((end - begin) * pixel_));
      } else {
        for (std::int64_t i = begin; i < end; ++i, at += pixel_, from += grid_.pitch) {
          std::memcpy(at, from, static_cast<std::size_t>(item));
          std::memset(at + item, 0, static_cast<std::size_t>(pixel_ - item));
        }
      }
    }
    std::memset(to + end * pixel_, 0, static_cast<std::size_t>((pixels - end) * pixel_));
  }

  Place place(std::int64_t tile) const {
    const std::int64_t row = tile / grid_.tiles, first = tile % grid_.tiles * grid_.tile_rows;
    const std::int64_t start = min_i64(first, grid_.width - grid_.tile_rows);
    return {row, start, first - start};
  }

  const unsigned char* panel_of_b(std::int64_t panel) const {
    return args_.in[1].as<unsigned char>() + panel * grid_.steps * kStepBytes;
  }
  int column_tiles(std::int64_t panel) const {
    const std::int64_t columns = grid_.p.filters - panel * kPanelColumns;
    return static_cast<int>(min_i64(kSplitTiles, ceil_div(columns, kSplitColumns)));
  }
  std::int64_t panel_step(std::int64_t panel) const { return column_tiles(panel) * std::int64_t{kSplitTileBytes}; }

  void multiply(std::int64_t tile, int row_tiles, std::int64_t panel, const unsigned char* next,
                std::int64_t next_bytes) {
    const Conv2dParams& p = grid_.p;
    const auto &h = p.window.h, &w = p.window.w;
    const std::int64_t column = panel * kPanelColumns, pixel = args_.out[0].pixel_pitch();
    const unsigned char* a[kSplitTiles] = {};
    std::int64_t at[kSplitTiles * kSplitRows];
    for (int t = 0; t < row_tiles; ++t) {
      const Place to = place(tile + t);
      a[t] = from_ + (to.row - first_row_) * h.stride * row_ + to.first * w.stride * pixel_;
      const std::int64_t start = ((picture_ * grid_.height + to.row) * grid_.width + to.first) * pixel + column;
      for (std::int64_t r = 0; r < grid_.tile_rows; ++r)
        at[t * grid_.tile_rows + r] = r < to.skip ? -1 : start + r * pixel;
    }
    const std::int64_t taps = w.dilation == 1 ? 1 : w.size;
    const std::int64_t steps = grid_.steps / (h.size * taps);
    gemm::SplitRun* run = runs_;
    for (std::int64_t kh = 0; kh < h.size; ++kh)
      for (std::int64_t kw = 0; kw < taps; ++kw, ++run) {
        const std::int64_t offset = kh * h.dilation * row_ + kw * w.dilation * pixel_;
        *run = {{a[0] + offset, a[row_tiles - 1] + offset}, steps};
      }

    const EpilogueOperands operands(p.epilogue, args_, 2);
    const gemm::SplitFinish finish{.sums = sums_,
                                   .rows = static_cast<int>(row_tiles * grid_.tile_rows),
                                   .tile_rows = static_cast<int>(grid_.tile_rows),
                                   .column_tiles = column_tiles(panel),
                                   .columns = min_i64(kPanelColumns, p.filters - column),
                                   .at = at,
                                   .c = args_.out[0].data,
                                   .residual = operands.residual,
                                   .bias = operands.bias != nullptr ? operands.bias + column : nullptr,
                                   .bf16_c = p.epilogue.result == DType::BF16,
                                   .bf16_residual = operands.bf16_residual,
                                   .activation = p.epilogue.activation,
                                   .alpha = p.epilogue.alpha};
    engine_.prefetch(finish);
    engine_.multiply({.runs = runs_,
                      .num_runs = static_cast<int>(grid_.runs()),
                      .row_stride = w.stride * pixel_,
                      .part_stride = 0,
                      .step_stride = kSplitDepth * kItem,
                      .b = panel_of_b(panel),
                      .next = next,
                      .next_bytes = next_bytes,
                      .row_tiles = row_tiles,
                      .column_tiles = column_tiles(panel),
                      .accumulate = false,
                      .c = sums_});
    engine_.finish(finish);
  }

  const Grid& grid_;
  const KernelArgs& args_;
  const gemm::SplitEngine& engine_;
  unsigned char* memory_;
  gemm::SplitRun* runs_;
  float* sums_;
  unsigned char* copy_;  // of a part of the picture
  const unsigned char* from_ = nullptr;
  std::int64_t pixel_ = 0, row_ = 0;  // bytes to the next, where the tiles are read
  std::int64_t picture_ = 0, first_row_ = 0;
};

}  // namespace

const char* conv2d_bf16_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  if (problem.inputs[0].dtype != DType::BF16) return "the picture is not stored in bfloat16";
  if (p.groups != 1) return "groups";
  if (p.channels == 0 || p.filters == 0) return "there is nothing to sum or to compute";
  if (p.window.h.size * p.window.w.size > 1 && p.channels % kSplitDepth != 0)
    return "a window of several pixels needs channels that are a multiple of 32";
  return nullptr;
}

void amx::conv2d_bf16_picture(const KernelArgs& args) {
  const Shape& y = args.out[0].shape();
  if (y.size() == 0) return;
  const Grid grid(args.problem.as<Conv2dParams>(), args.in[0], y);
  parallel_for(grid.tasks(), Task::bytes(grid), [&](std::int64_t index, void* memory) {
    const std::int64_t rest = index / grid.column_chunks;
    Task(grid, args, memory).compute(rest / grid.row_chunks, rest % grid.row_chunks, index % grid.column_chunks);
  });
}

}  // namespace fastcnn

#endif  // FC_X86

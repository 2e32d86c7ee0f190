// Computes   conv2d with 3 x 3 kernels by Winograd's F(m x m, 3 x 3): transforms around n^2 matrix products, n = m + 2.
// Layout     NHWC in and out. U: [panel of filters][position][channel][filter], packed once. V: [position][tile]
//            [channel], M: [position][tile][filter of the panel], a line between positions, since strides of whole
//            pages would fall on the same lines of the cache.
// Why        a block of tiles goes through all steps while its V and M stay in L2; only x, U and y come from beyond.
//            Where the channels are so many, or the tiles so few, that a block would use too little what it reads of U,
//            each step is done for all tiles before the next: then U is read once.
// Needs      strides and dilation 1, one group; weights packed by conv2d_pack_winograd<m>; as workspace a row of zeros
//            and, where the steps are staged, V and M of all tiles; else V and M of a block as scratch of each thread.
// Accuracy   chains of fused multiply-adds over the channels between the transforms; docs/precision.md.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
#include "ops/conv2d/conv2d_winograd.h"

#include <cstring>
#include <utility>

#include "core/thread_pool.h"
#include "gemm/split_gemm.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {
namespace {

using winograd::kMaxPositions;
using winograd::Place, winograd::Transforms;

// V and M of a block: what L2 holds beside the part of U that is swept.
constexpr std::int64_t kBlockBytes = 1280 * 1024;
// Blocks of fewer tiles would use what they read of U too little, unless V and M of all tiles are more than the share
// of the third-level cache that a thread may count on.
constexpr std::int64_t kLeastTiles = 40, kLeastTilesOfMany = 24, kManyBytes = 8 * 1024 * 1024;
// Where another row is faster: a picture of fewer tiles, fewer channels, more than this share of the direct sum's
// products.
constexpr std::int64_t kFewestTiles = 24;
constexpr std::int64_t kFewestChannels = 16;
constexpr double kMostProducts = 0.6;
constexpr std::int64_t kPad = 64 / sizeof(float);

std::int64_t positions(const Transforms& transforms) { return (transforms.m + 2) * (transforms.m + 2); }
constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));

// How a problem is cut.
struct Grid {
  std::int64_t m, n, positions;
  std::int64_t rows, columns, tiles;  // of tiles: in a picture's height and width, in all pictures
  std::int64_t channels, filters;
  gemm::Panels panels;
  bool staged;          // each step for all tiles before the next
  std::int64_t blocks;  // of tiles, each through all steps

  Grid(const Transforms& transforms, const Conv2dParams& p, const Shape& y)
      : m(transforms.m),
        n(m + 2),
        positions(n * n),
        rows(ceil_div(y[1], m)),
        columns(ceil_div(y[2], m)),
        tiles(y[0] * rows * columns),
        channels(p.channels),
        filters(p.filters),
        panels(transforms.engine->blocking, p.filters) {
    const std::int64_t width = min_i64(panels.total_vectors, transforms.engine->blocking.vectors) * panels.width;
    const std::int64_t most = kBlockBytes / (positions * (channels + width) * kFloat);
    const bool many = tiles * positions * (channels + all_filters()) * kFloat > kManyBytes;
    const std::int64_t least = many ? kLeastTilesOfMany : kLeastTiles;
    staged = most < least || tiles < least;
    // An even number, for two threads to end together.
    blocks = staged ? 1 : round_up(ceil_div(tiles, most), 2);
  }
  std::int64_t first_tile(std::int64_t block) const { return block * tiles / blocks; }
  std::int64_t block_tiles() const { return ceil_div(tiles, blocks); }
  std::int64_t width(std::int64_t panel) const { return panels.vectors(panel) * panels.width; }
  std::int64_t max_width() const { return ceil_div(panels.total_vectors, panels.count) * panels.width; }
  std::int64_t all_filters() const { return panels.total_vectors * panels.width; }
  // Of M: all filters, or those of one panel after the other.
  std::int64_t m_width() const { return staged ? all_filters() : max_width(); }
  // From one position to the next, in floats.
  std::int64_t v_stride() const { return block_tiles() * channels + kPad; }
  std::int64_t m_stride() const { return block_tiles() * m_width() + kPad; }
  std::int64_t zeros() const { return round_up(channels, kPad); }
  std::int64_t u_panel(std::int64_t panel) const { return panels.offset(panel, positions * channels); }
};

class Worker {
 public:
  Worker(const Transforms& transforms, const KernelArgs& args, const Grid& grid)
      : transforms_(transforms),
        grid_(grid),
        params_(args.problem.as<Conv2dParams>()),
        x_(args.in[0]),
        u_(args.in[1].as<float>()),
        zeros_(static_cast<const float*>(args.workspace)),
        y_(args.out[0].data),
        xs_(args.in[0].shape()),
        ys_(args.out[0].shape()),
        y_pixel_(args.out[0].pixel_pitch()),
        operands_(params_.epilogue, args, 2) {}

  // V of tiles [first, last), the first of them at `v`.
  void transform_input(std::int64_t first, std::int64_t last, float* v) const {
    const void *windows[2][kMaxPositions], **pixels = windows[0], **next = windows[1];
    const bool bf16 = x_.type.dtype == DType::BF16;
    find_window(first, pixels);
    for (std::int64_t t = first; t < last; ++t, v += grid_.channels) {
      find_window(min_i64(t + 1, grid_.tiles - 1), next);
      transforms_.input({pixels, next, bf16, grid_.channels, v, grid_.v_stride()});
      std::swap(pixels, next);
    }
  }

  // M = V U of one position and panel, micro-tile by micro-tile. Each calls in a share of the U that comes next.
  void multiply(std::int64_t panel, std::int64_t position, std::int64_t rows, const float* v, float* m,
                std::int64_t m_row, const float* next) const {
    const gemm::Engine& engine = *transforms_.engine;
    const std::int64_t width = grid_.width(panel), vectors = grid_.panels.vectors(panel);
    const float *u = this->u(panel, position), *end = u_ + grid_.u_panel(grid_.panels.count);
    const float* a[gemm::kMaxTileRows];
    std::int64_t at[gemm::kMaxTileRows];
    const gemm::Blocking& blocking = engine.blocking;
    const std::int64_t tall = vectors <= blocking.tall_vectors ? blocking.tall_rows : 0;
    gemm::Tile tile{
        .a = a, .taps = 1, .depth = grid_.channels, .a_step = 1, .b = u, .columns = width, .at = at, .c = m};
    tile.finish = true;
    const std::int64_t share = grid_.channels * kPad;
    std::int64_t left = ceil_div(rows, blocking.rows);  // tiles, as even as can be
    for (std::int64_t i = 0, first = 0, last; first < rows; first = last, ++i) {
      if (rows - first >= tall && tall > 0) {
        last = first + tall;
        left = ceil_div(rows - last, blocking.rows);
      } else {
        last = first + ceil_div(rows - first, left--);
      }
      for (std::int64_t r = first; r < last; ++r) {
        a[r - first] = v + r * grid_.channels;
        at[r - first] = r * m_row;
      }
      tile.prefetch = i < vectors && next + (i + 1) * share <= end ? next + i * share : u;
      (last - first == tall ? engine.tall[vectors - 1] : engine.tile[last - first - 1][vectors - 1])(tile);
    }
  }

  // The outputs of tiles [first, last) and filters [begin, end), the first of them at `m`.
  void transform_output(std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end, const float* m,
                        std::int64_t m_row) const {
    winograd::OutputTile out{.stride = grid_.m_stride(),
                             .filters = end - begin,
                             .row = ys_[2] * y_pixel_,
                             .pixel = y_pixel_,
                             .bias = operands_.bias != nullptr ? operands_.bias + begin : nullptr,
                             .bf16_y = params_.epilogue.result == DType::BF16,
                             .bf16_residual = operands_.bf16_residual,
                             .activation = params_.epilogue.activation,
                             .alpha = params_.epilogue.alpha};
    for (std::int64_t t = first; t < last; ++t, m += m_row) {
      const Place tile = place(t);
      const std::int64_t at = ((tile.picture * ys_[1] + tile.i) * ys_[2] + tile.j) * y_pixel_ + begin;
      out.m = m;
      out.rows = static_cast<int>(min_i64(grid_.m, ys_[1] - tile.i));
      out.columns = static_cast<int>(min_i64(grid_.m, ys_[2] - tile.j));
      out.y = gemm::element(y_, out.bf16_y, at);
      out.residual = gemm::element(static_cast<const void*>(operands_.residual), out.bf16_residual, at);
      transforms_.output(out);
    }
  }

  // All steps for tiles [first, last), panel by panel.
  void convolve(std::int64_t first, std::int64_t last, float* v, float* m) const {
    transform_input(first, last, v);
    for (std::int64_t panel = 0; panel < grid_.panels.count; ++panel) {
      const std::int64_t width = grid_.width(panel), begin = grid_.panels.first_column(panel);
      for (std::int64_t p = 0; p < grid_.positions; ++p)
        multiply(panel, p, last - first, v + p * grid_.v_stride(), m + p * grid_.m_stride(), width,
                 u(panel, p) + grid_.channels * width);
      transform_output(first, last, begin, min_i64(begin + width, grid_.filters), m, width);
    }
  }

  const float* u(std::int64_t panel, std::int64_t position) const {
    return u_ + grid_.u_panel(panel) + position * grid_.channels * grid_.width(panel);
  }

 private:
  void find_window(std::int64_t tile, const void** pixels) const {
    const std::int64_t pixel = x_.pixel_pitch() * item_size(x_.type.dtype);
    const Place at = place(tile);
    winograd::find_window({x_.as<unsigned char>() + at.picture * xs_[1] * xs_[2] * pixel, xs_[1], xs_[2], pixel},
                          at.i - params_.window.h.before, at.j - params_.window.w.before, grid_.n, zeros_, pixels);
  }
  Place place(std::int64_t tile) const { return winograd::place_of(tile, grid_.rows, grid_.columns, grid_.m); }

  const Transforms& transforms_;
  const Grid& grid_;
  const Conv2dParams& params_;
  const Tensor& x_;
  const float *u_, *zeros_;
  void* y_;
  const Shape &xs_, &ys_;
  const std::int64_t y_pixel_;
  const EpilogueOperands operands_;
};

}  // namespace

winograd::Place winograd::place_of(std::int64_t tile, std::int64_t rows, std::int64_t columns, std::int64_t m) {
  const std::int64_t in_picture = tile % (rows * columns);
  return {tile / (rows * columns), in_picture / columns * m, in_picture % columns * m};
}

void winograd::find_window(const Picture& picture, std::int64_t top, std::int64_t left, std::int64_t n,
                           const void* zeros, const void** pixels) {
  for (std::int64_t row = top; row < top + n; ++row)
    for (std::int64_t column = left; column < left + n; ++column) {
      const bool inside = row >= 0 && row < picture.height && column >= 0 && column < picture.width;
      *pixels++ = inside ? picture.x + (row * picture.width + column) * picture.pixel : zeros;
    }
}

void winograd::convolve(const Transforms& transforms, const KernelArgs& args) {
  const Grid grid(transforms, args.problem.as<Conv2dParams>(), args.out[0].shape());
  auto* zeros = static_cast<float*>(args.workspace);
  std::memset(zeros, 0, static_cast<std::size_t>(grid.zeros() * kFloat));
  const Worker worker(transforms, args, grid);
  if (!grid.staged) {
    const std::int64_t bytes = grid.positions * (grid.v_stride() + grid.m_stride()) * kFloat;
    parallel_for(grid.blocks, bytes, [&](std::int64_t block, void* scratch) {
      auto* v = static_cast<float*>(scratch);
      worker.convolve(grid.first_tile(block), grid.first_tile(block + 1), v, v + grid.positions * grid.v_stride());
    });
    return;
  }
  float *v = zeros + grid.zeros(), *m = v + grid.positions * grid.v_stride();
  parallel_for(grid.tiles, [&](std::int64_t t) { worker.transform_input(t, t + 1, v + t * grid.channels); });
  const std::int64_t panels = grid.panels.count;
  parallel_for(grid.positions * panels, [&](std::int64_t task) {
    const std::int64_t p = task / panels, panel = task % panels;
    worker.multiply(panel, p, grid.tiles, v + p * grid.v_stride(),
                    m + p * grid.m_stride() + grid.panels.first_column(panel), grid.m_width(),
                    panel + 1 < panels ? worker.u(panel + 1, p) : worker.u(0, p) + grid.channels * grid.width(0));
  });
  parallel_for(grid.tiles, [&](std::int64_t t) {
    worker.transform_output(t, t + 1, 0, grid.filters, m + t * grid.m_width(), grid.m_width());
  });
}

const char* winograd::yields(const Transforms& transforms, const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  const Grid grid(transforms, p, y);
  if (grid.tiles < kFewestTiles) return "so few tiles cost more to read the weights for than to multiply";
  if (min_i64(p.channels, p.filters) < kFewestChannels)
    return "the transforms of so few channels cost more than they save";
  const double products = static_cast<double>(grid.positions * grid.tiles);
  if (products > kMostProducts * 9.0 * static_cast<double>(y[0] * y[1] * y[2]))
    return "too much of its tiles lies outside the picture";
  return nullptr;
}

std::int64_t winograd::workspace(const Transforms& transforms, const Problem& problem) {
  const Grid grid(transforms, problem.as<Conv2dParams>(), problem.outputs[0].shape);
  return (grid.zeros() + (grid.staged ? grid.positions * (grid.v_stride() + grid.m_stride()) : 0)) * kFloat;
}

std::int64_t winograd::packed_size(const Transforms& transforms, const Conv2dParams& p) {
  return positions(transforms) * gemm::packed_size(transforms.engine->blocking, p.channels, p.filters);
}

void winograd::pack(const Transforms& transforms, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const gemm::Panels panels(transforms.engine->blocking, p.filters);
  const float* w = args.in[0].as<float>();
  float* u = args.out[0].as<float>();
  constexpr std::int64_t kChannels = 16;  // of a task
  const std::int64_t parts = ceil_div(p.channels, kChannels);
  parallel_for(panels.count * parts, [&](std::int64_t task) {
    const std::int64_t panel = task / parts, c = task % parts * kChannels;
    const std::int64_t column = panels.first_column(panel), width = panels.vectors(panel) * panels.width;
    transforms.kernel({.w = w + c * p.filters + column,
                       .tap = p.channels * p.filters,
                       .channel = p.filters,
                       .channels = min_i64(kChannels, p.channels - c),
                       .filters = min_i64(width, p.filters - column),
                       .width = width,
                       .u = u + panels.offset(panel, positions(transforms) * p.channels) + c * width,
                       .stride = p.channels * width});
  });
}

}  // namespace fastcnn

#endif  // FC_X86

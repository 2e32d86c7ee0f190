// Computes   conv2d with 3 x 3 kernels by Winograd's F(m x m, 3 x 3): transforms around n^2 matrix products, n = m + 2.
// Layout     NHWC in and out. U: [panel of filters][position][channel][filter], packed once; in bfloat16 a position of
//            a panel is tiles of pairs. V: [position][tile][channel], M: [position][tile][filter of the panel], a line
//            between positions, since strides of whole pages would fall on the same lines of the cache.
// Why        a block of tiles goes through all steps while its V and M stay in L2; only x, U and y come from beyond.
//            Where the channels are so many, or the tiles so few, that a block would use too little what it reads of U,
//            the steps are staged: each is done for a round of many tiles, mostly all, before the next. Then U is read
//            once a round.
// Needs      strides and dilation 1, one group; weights packed by conv2d_pack_winograd<m>; as workspace a row of zeros
//            and, where the steps are staged, V and M of a round; else V and M of a block as scratch of each thread.
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
// Every block reads all of U, which only pays for enough tiles: where a block would have fewer than kLeastTiles, the
// steps are staged. These write V and M of all tiles and read them again, which costs more where they are larger than
// kManyBytes, a thread's share of the third-level cache: then blocks of kLeastTilesOfMany are enough.
constexpr std::int64_t kLeastTiles = 40, kLeastTilesOfMany = 24, kManyBytes = 8 * 1024 * 1024;
// A U above kFarBytes comes from memory for every block. The steps are staged, too, where that is more than they read
// of U and than V and M, written and read.
constexpr std::int64_t kFarBytes = 16 * 1024 * 1024;
// Staged steps need memory for V and M of a round, which is kept to kRoundBytes, or kLeastOfRound tiles. That is enough
// for the multiplications to take much longer than reading U.
constexpr std::int64_t kRoundBytes = 64 * 1024 * 1024, kLeastOfRound = 128;
// Where another row is faster: fewer tiles, or channels, than these, more than this share of the direct sum's products.
struct Least {
  std::int64_t tiles, channels;
};
constexpr Least kLeast{24, 16}, kLeastBf16{16, 48};
constexpr double kMostProducts = 0.6;
constexpr std::int64_t kExactChannels = 64;
constexpr std::int64_t kLine = 64;

constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));

std::int64_t positions(const Transforms& transforms) { return (transforms.m + 2) * (transforms.m + 2); }
// Bytes of a number of V and of U.
std::int64_t item(const Transforms& transforms) { return item_size(transforms.bf16 ? DType::BF16 : DType::F32); }
// Channels of U: there are zeros after the last.
std::int64_t depth(const Transforms& transforms, std::int64_t channels) {
  return transforms.bf16 ? round_up(channels, gemm::kSplitDepth) : channels;
}

// How a problem is cut.
struct Grid {
  std::int64_t m, n, positions;
  std::int64_t rows, columns, tiles;  // of tiles: in a picture's height and width, in all pictures
  std::int64_t channels, filters;
  std::int64_t item, depth;
  gemm::Panels panels;
  bool staged;          // each step for all tiles of a block, which is a round, before the next
  std::int64_t blocks;  // of tiles

  Grid(const Transforms& transforms, const Conv2dParams& p, const Shape& y)
      : m(transforms.m),
        n(m + 2),
        positions(n * n),
        rows(ceil_div(y[1], m)),
        columns(ceil_div(y[2], m)),
        tiles(y[0] * rows * columns),
        channels(p.channels),
        filters(p.filters),
        item(fastcnn::item(transforms)),
        depth(fastcnn::depth(transforms, channels)),
        panels(transforms.blocking, p.filters) {
    const std::int64_t width = min_i64(panels.total_vectors, transforms.blocking.vectors) * panels.width;
    const std::int64_t most = kBlockBytes / (positions * (channels * item + width * kFloat));
    const std::int64_t tile_bytes = positions * (channels * item + all_filters() * kFloat);
    const std::int64_t staged_bytes = tiles * tile_bytes;
    const std::int64_t rounds = ceil_div(tiles, max_i64(kLeastOfRound, kRoundBytes / tile_bytes));
    const std::int64_t u = u_at(panels.count, 0);
    const std::int64_t least = staged_bytes > kManyBytes ? kLeastTilesOfMany : kLeastTiles;
    blocks = round_up(ceil_div(tiles, max_i64(1, most)), 2);  // even, for two threads to end together
    staged = most < least || tiles < least || (u > kFarBytes && blocks * u > rounds * u + 2 * staged_bytes);
    if (staged) blocks = rounds;
  }
  std::int64_t first_tile(std::int64_t block) const { return block * tiles / blocks; }
  std::int64_t block_tiles() const { return ceil_div(tiles, blocks); }
  std::int64_t width(std::int64_t panel) const { return panels.vectors(panel) * panels.width; }
  std::int64_t max_width() const { return ceil_div(panels.total_vectors, panels.count) * panels.width; }
  std::int64_t all_filters() const { return panels.total_vectors * panels.width; }
  // Of M: all filters, or those of one panel after the other.
  std::int64_t m_width() const { return staged ? all_filters() : max_width(); }
  // From one position to the next, in numbers, and of all, in bytes.
  std::int64_t v_stride() const { return block_tiles() * channels + kLine / item; }
  std::int64_t m_stride() const { return block_tiles() * m_width() + kLine / kFloat; }
  std::int64_t v_bytes() const { return round_up(positions * v_stride() * item, kLine); }
  std::int64_t m_bytes() const { return positions * m_stride() * kFloat; }
  std::int64_t zeros() const { return round_up(channels * kFloat, kLine); }
  // Where a position of a panel of U starts, in bytes, and how many these are.
  std::int64_t u_at(std::int64_t panel, std::int64_t position) const {
    return panels.offset(panel, positions * depth) * item + position * u_bytes(panel);
  }
  std::int64_t u_bytes(std::int64_t panel) const { return depth * width(panel) * item; }
};

class Worker {
 public:
  Worker(const Transforms& transforms, const KernelArgs& args, const Grid& grid)
      : transforms_(transforms),
        grid_(grid),
        params_(args.problem.as<Conv2dParams>()),
        x_(args.in[0]),
        u_(args.in[1].as<unsigned char>()),
        zeros_(args.workspace),
        y_(args.out[0].data),
        xs_(args.in[0].shape()),
        ys_(args.out[0].shape()),
        y_pixel_(args.out[0].pixel_pitch()),
        operands_(params_.epilogue, args, 2) {}

  // V of tiles [first, last), the first of which is number `at` of `v`.
  void transform_input(std::int64_t first, std::int64_t last, unsigned char* v, std::int64_t at = 0) const {
    const void *windows[2][kMaxPositions], **pixels = windows[0], **next = windows[1];
    const bool bf16 = x_.type.dtype == DType::BF16;
    const std::int64_t tile = grid_.channels * grid_.item;
    v += at * tile;
    find_window(first, pixels);
    for (std::int64_t t = first; t < last; ++t, v += tile) {
      find_window(min_i64(t + 1, grid_.tiles - 1), next);
      transforms_.input({pixels, next, bf16, grid_.channels, v, grid_.v_stride()});
      std::swap(pixels, next);
    }
  }

  // M = V U of one position and panel, with `next` what of U comes after it.
  void multiply(std::int64_t panel, std::int64_t position, std::int64_t tiles, const unsigned char* v, float* m,
                std::int64_t m_row, std::int64_t next) const {
    transforms_.multiply({.tiles = tiles,
                          .channels = grid_.channels,
                          .width = grid_.width(panel),
                          .v = v + position * grid_.v_stride() * grid_.item,
                          .u = u_ + grid_.u_at(panel, position),
                          .m = m + position * grid_.m_stride(),
                          .row = m_row,
                          .next = u_ + next,
                          .next_bytes = min_i64(grid_.u_bytes(panel), grid_.u_at(grid_.panels.count, 0) - next)});
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
  void convolve(std::int64_t first, std::int64_t last, unsigned char* v, float* m) const {
    transform_input(first, last, v);
    for (std::int64_t panel = 0; panel < grid_.panels.count; ++panel) {
      const std::int64_t width = grid_.width(panel), begin = grid_.panels.first_column(panel);
      for (std::int64_t p = 0; p < grid_.positions; ++p)
        multiply(panel, p, last - first, v, m, width, grid_.u_at(panel, p + 1));
      transform_output(first, last, begin, min_i64(begin + width, grid_.filters), m, width);
    }
  }

  // The same, each step by all threads before the next.
  void convolve_staged(std::int64_t first, std::int64_t last, unsigned char* v, float* m) const {
    parallel_for(last - first, [&](std::int64_t i) { transform_input(first + i, first + i + 1, v, i); });
    const std::int64_t panels = grid_.panels.count, m_row = grid_.m_width();
    parallel_for(grid_.positions * panels, [&](std::int64_t task) {
      const std::int64_t p = task / panels, panel = task % panels;
      multiply(panel, p, last - first, v, m + grid_.panels.first_column(panel), m_row,
               panel + 1 < panels ? grid_.u_at(panel + 1, p) : grid_.u_at(0, p + 1));
    });
    parallel_for(last - first, [&](std::int64_t i) {
      transform_output(first + i, first + i + 1, 0, grid_.filters, m + i * m_row, m_row);
    });
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
  const unsigned char* u_;
  const void* zeros_;
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
  auto* zeros = static_cast<unsigned char*>(args.workspace);
  std::memset(zeros, 0, static_cast<std::size_t>(grid.zeros()));
  const Worker worker(transforms, args, grid);
  const auto m_after = [&](unsigned char* v) { return reinterpret_cast<float*>(v + grid.v_bytes()); };
  if (!grid.staged) {
    parallel_for(grid.blocks, grid.v_bytes() + grid.m_bytes(), [&](std::int64_t block, void* scratch) {
      auto* v = static_cast<unsigned char*>(scratch);
      worker.convolve(grid.first_tile(block), grid.first_tile(block + 1), v, m_after(v));
    });
    return;
  }
  unsigned char* v = zeros + grid.zeros();
  for (std::int64_t block = 0; block < grid.blocks; ++block)
    worker.convolve_staged(grid.first_tile(block), grid.first_tile(block + 1), v, m_after(v));
}

const char* winograd::yields(const Transforms& transforms, const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.outputs[0].shape;
  const Grid grid(transforms, p, y);
  const Least& least = transforms.bf16 ? kLeastBf16 : kLeast;
  if (grid.tiles < least.tiles) return "so few tiles cost more to read the weights for than to multiply";
  const std::int64_t channels = min_i64(p.channels, p.filters);
  if (channels < least.channels) return "the transforms of so few channels cost more than they save";
  const double products = static_cast<double>(grid.positions * grid.tiles);
  if (products > kMostProducts * 9.0 * static_cast<double>(y[0] * y[1] * y[2]))
    return "too much of its tiles lies outside the picture";
  if (transforms.bf16 && channels <= kExactChannels && yields(avx512::f4, problem) == nullptr)
    return "F(4x4) in float32 is as fast on so few channels, and more exact";
  return nullptr;
}

std::int64_t winograd::workspace(const Transforms& transforms, const Problem& problem) {
  const Grid grid(transforms, problem.as<Conv2dParams>(), problem.outputs[0].shape);
  return grid.zeros() + (grid.staged ? grid.v_bytes() + grid.m_bytes() : 0);
}

std::int64_t winograd::packed_size(const Transforms& transforms, const Conv2dParams& p) {
  const gemm::Panels panels(transforms.blocking, p.filters);
  const std::int64_t numbers = panels.offset(panels.count, positions(transforms) * depth(transforms, p.channels));
  return numbers * item(transforms) / kFloat;
}

void winograd::pack(const Transforms& transforms, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const gemm::Panels panels(transforms.blocking, p.filters);
  const std::int64_t depth = fastcnn::depth(transforms, p.channels);
  const float* w = args.in[0].as<float>();
  constexpr std::int64_t kChannels = gemm::kSplitDepth;  // of a task
  const std::int64_t parts = ceil_div(p.channels, kChannels);
  parallel_for(panels.count * parts, [&](std::int64_t task) {
    const std::int64_t panel = task / parts, c = task % parts * kChannels;
    const std::int64_t column = panels.first_column(panel), width = panels.vectors(panel) * panels.width;
    const std::int64_t at = panels.offset(panel, positions(transforms) * depth) + c * width;
    transforms.kernel({.w = w + c * p.filters + column,
                       .tap = p.channels * p.filters,
                       .channel = p.filters,
                       .channels = min_i64(kChannels, p.channels - c),
                       .filters = min_i64(width, p.filters - column),
                       .width = width,
                       .u = args.out[0].as<unsigned char>() + at * item(transforms),
                       .stride = depth * width});
  });
}

}  // namespace fastcnn

#endif  // FC_X86

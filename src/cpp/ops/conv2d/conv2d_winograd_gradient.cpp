// Computes   conv2d's weight gradient for 3 x 3 kernels by the adjoint of Winograd's F(m x m, 3 x 3): for each of n^2
//            positions, n = m + 2, a sum of outer products over the tiles, between transforms.
// Layout     x and dy NHWC; a task has 64 channels of each. V: [position][item][channel]; D: [position][panel of
//            filters][item][filter], an item being a tile in float32 or a pair of tiles in bfloat16; dU:
//            [position][channel][filter], a line between positions, since strides of whole pages would fall on the same
//            lines of the cache.
// Why        what a task transforms and sums up stays in L2 whatever the number of channels; that parts are transformed
//            anew for each part of the other factor costs a quarter of the products that they save.
// Needs      strides and dilation 1, one group; as workspace the chunks' sums.
// Accuracy   sums of blocks of tiles, and of chunks of blocks, between the transforms; docs/precision.md.
// Source     A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/thread_pool.h"
#include "gemm/gemm.h"
#include "ops/conv2d/conv2d_gradients.h"
#include "ops/conv2d/conv2d_winograd.h"

#if FC_X86
namespace fastcnn {
namespace {

using gemm::EvenParts;
using winograd::GradientTransforms, winograd::Place;

constexpr std::int64_t kPart = 64;  // channels, and filters, of a task
constexpr std::int64_t kMostInItem = 2;
// Tasks that are wanted, and the fewest blocks of a chunk: its sums are transformed and added up. For as many tasks
// blocks are smaller, down to so many tiles.
constexpr std::int64_t kTasks = 16, kLeastBlocks = 2, kLeastTiles = 64;
constexpr std::int64_t kSumSize = 16384;  // floats that a task adds up
constexpr std::int64_t kPad = 64 / sizeof(float);
constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
// Where another row is faster: fewer tiles, fewer channels, more than this share of the direct sum's products.
constexpr std::int64_t kFewestTiles = 24;
constexpr std::int64_t kFewestChannels = 24;
constexpr double kMostProducts = 0.6;

// How a problem is cut, by its shape.
struct Grid {
  std::int64_t m, n, positions;
  std::int64_t rows, columns, tiles;  // of tiles: in a picture's height and width, in all pictures
  std::int64_t in_item;               // tiles that share four bytes of V and D
  EvenParts channels, vectors, blocks, chunks;
  std::int64_t width, all_channels, filters;
  std::int64_t stride = 0;  // of V and D, from one position to the next, in items of four bytes

  Grid(const GradientTransforms& transforms, const Conv2dParams& p, const Shape& y)
      : m(transforms.m),
        n(m + 2),
        positions(n * n),
        rows(ceil_div(y[1], m)),
        columns(ceil_div(y[2], m)),
        tiles(y[0] * rows * columns),
        in_item(transforms.in_item),
        channels(p.channels, ceil_div(p.channels, kPart)),
        vectors(ceil_div(p.filters, transforms.engine->blocking.width), ceil_div(p.filters, kPart)),
        blocks(0, 0),
        chunks(0, 1),
        width(transforms.engine->blocking.width),
        all_channels(p.channels),
        filters(p.filters) {
    const std::int64_t parts = max_i64(1, channels.count * vectors.count), wanted = ceil_div(kTasks, parts);
    const std::int64_t in_block = min_i64(transforms.tiles, max_i64(kLeastTiles, tiles / (kLeastBlocks * wanted)));
    blocks = EvenParts(tiles, ceil_div(tiles, in_block));
    const std::int64_t most = min_i64(blocks.count / kLeastBlocks, gemm::kOuterBytes / max_i64(1, size() * kFloat));
    chunks = EvenParts(blocks.count, most > 1 ? min_i64(most, wanted) : 1);
    if (blocks.count > 0) stride = items(ceil_div(tiles, blocks.count)) * kPart + kPad;
  }
  std::int64_t size() const { return 9 * all_channels * filters; }
  std::int64_t items(std::int64_t tile_count) const { return ceil_div(tile_count, in_item); }
  static constexpr std::int64_t sums_stride() { return kPart * kPart + kPad; }
  std::int64_t scratch_bytes() const { return (positions * (2 * stride + sums_stride()) + kPart) * kFloat; }
};

class Worker {
 public:
  Worker(const GradientTransforms& transforms, const KernelArgs& args, const Grid& grid, void* scratch)
      : transforms_(transforms),
        grid_(grid),
        window_(args.problem.as<Conv2dParams>().window),
        x_(args.in[0].as<unsigned char>()),
        dy_(args.in[1].as<unsigned char>()),
        bf16_(args.in[0].type.dtype == DType::BF16),
        item_(item_size(args.in[0].type.dtype)),
        xs_(args.in[0].shape()),
        ys_(args.in[1].shape()),
        v_(static_cast<float*>(scratch)),
        d_(v_ + grid.positions * grid.stride),
        u_(d_ + grid.positions * grid.stride),
        zeros_(u_ + grid.positions * Grid::sums_stride()) {
    std::memset(zeros_, 0, kPart * kFloat);
  }

  // Of the blocks of a chunk, for a part of the channels and one of the filters, into all chunks' sums.
  void compute(std::int64_t chunk, std::int64_t channel_part, std::int64_t vector_part, float* dw) {
    channel_ = grid_.channels.begin(channel_part);
    channels_ = grid_.channels.begin(channel_part + 1) - channel_;
    filter_ = grid_.vectors.begin(vector_part) * grid_.width;
    filters_ = min_i64(grid_.filters, grid_.vectors.begin(vector_part + 1) * grid_.width) - filter_;
    const std::int64_t first = grid_.chunks.begin(chunk), last = grid_.chunks.begin(chunk + 1);
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t tile = grid_.blocks.begin(block), end = grid_.blocks.begin(block + 1);
      const std::int64_t items = grid_.items(end - tile);
      transform(tile, end, items);
      for (std::int64_t p = 0; p < grid_.positions; ++p) multiply(p, items, block > first);
    }
    for (std::int64_t c = 0; c < channels_; ++c)
      transforms_.weights({.u = u_ + c * kPart,
                           .stride = Grid::sums_stride(),
                           .filters = filters_,
                           .w = dw + (channel_ + c) * grid_.filters + filter_,
                           .tap = grid_.all_channels * grid_.filters});
  }

 private:
  Place place(std::int64_t tile) const { return winograd::place_of(tile, grid_.rows, grid_.columns, grid_.m); }
  void find_window(const Place& at, const void** pixels) const {
    winograd::find_window(
        {x_ + (at.picture * xs_[1] * xs_[2] * xs_[3] + channel_) * item_, xs_[1], xs_[2], xs_[3] * item_},
        at.i - window_.h.before, at.j - window_.w.before, grid_.n, zeros_, pixels);
  }
  // What an item reads: tiles from `tile` on, those from `end` on being zeros.
  struct Item {
    const void* pixels[kMostInItem * winograd::kMaxPositions];
    winograd::DyTile dy[kMostInItem];
  };
  void find_item(std::int64_t tile, std::int64_t end, Item& item) const {
    for (std::int64_t k = 0; k < grid_.in_item; ++k, ++tile) {
      const void** pixels = item.pixels + k * grid_.positions;
      const Place at = place(min_i64(tile, grid_.tiles - 1));
      const unsigned char* dy = dy_ + (((at.picture * ys_[1] + at.i) * ys_[2] + at.j) * ys_[3] + filter_) * item_;
      if (tile < end) {
        find_window(at, pixels);
        item.dy[k] = {dy, static_cast<int>(min_i64(grid_.m, ys_[1] - at.i)),
                      static_cast<int>(min_i64(grid_.m, ys_[2] - at.j))};
      } else {
        std::fill_n(pixels, grid_.positions, zeros_);
        item.dy[k] = {dy, 0, 0};
      }
    }
  }

  // A block of tiles [tile, end), which are so many items.
  void transform(std::int64_t tile, std::int64_t end, std::int64_t items) {
    Item two[2], *item = two, *next = two + 1;
    find_item(tile, end, *item);
    for (std::int64_t i = 0; i < items; ++i) {
      find_item(tile += grid_.in_item, end, *next);
      transforms_.input({item->pixels, next->pixels, bf16_, channels_, v_ + i * kPart, grid_.stride});
      transforms_.gradient({.tiles = item->dy,
                            .next = next->dy,
                            .bf16 = bf16_,
                            .row = ys_[2] * ys_[3],
                            .pixel = ys_[3],
                            .filters = filters_,
                            .d = d_,
                            .stride = grid_.stride,
                            .panel = panel_floats(items),
                            .item = i});
      std::swap(item, next);
    }
  }

  std::int64_t panel_floats(std::int64_t items) const {
    return items * transforms_.engine->blocking.vectors * grid_.width;
  }

  // dU += V^T D of one position.
  void multiply(std::int64_t position, std::int64_t items, bool accumulate) const {
    const gemm::OuterEngine& engine = *transforms_.engine;
    const std::int64_t panel = engine.blocking.vectors * grid_.width;
    const EvenParts strips(channels_, ceil_div(channels_, engine.blocking.rows));
    const gemm::OuterRun run{0, 0, items};
    gemm::OuterTile tile{
        .a_step = kPart, .runs = &run, .count = 1, .c_stride = kPart, .accumulate = accumulate, .next_lines = 1};
    for (std::int64_t f = 0; f < filters_; f += panel) {
      tile.b = d_ + position * grid_.stride + f / panel * panel_floats(items);
      tile.columns = min_i64(panel, filters_ - f);
      const std::int64_t vectors = ceil_div(tile.columns, grid_.width);
      for (std::int64_t s = 0; s < strips.count; ++s) {
        const std::int64_t c = strips.begin(s);
        tile.a = tile.next = v_ + position * grid_.stride + c;
        tile.c = u_ + position * Grid::sums_stride() + c * kPart + f;
        engine.tile.of[strips.begin(s + 1) - c - 1][vectors - 1](tile);
      }
    }
  }

  const GradientTransforms& transforms_;
  const Grid& grid_;
  const Window2d& window_;
  const unsigned char *x_, *dy_;
  const bool bf16_;  // both pictures
  const std::int64_t item_;
  const Shape &xs_, &ys_;
  float *v_, *d_, *u_, *zeros_;
  std::int64_t channel_ = 0, channels_ = 0, filter_ = 0, filters_ = 0;  // of the task
};

Grid grid_of(const GradientTransforms& transforms, const Problem& problem) {
  return {transforms, problem.as<Conv2dParams>(), problem.inputs[1].shape};
}

}  // namespace

void winograd::weight_gradient(const GradientTransforms& transforms, const KernelArgs& args) {
  const Grid grid = grid_of(transforms, args.problem);
  float* const dw = args.out[0].as<float>();
  const std::int64_t size = grid.size(), chunks = grid.chunks.count;
  if (grid.tiles == 0) std::memset(dw, 0, static_cast<std::size_t>(size * kFloat));
  if (grid.tiles == 0 || size == 0) return;
  auto* const sums = chunks > 1 ? static_cast<float*>(args.workspace) : dw;
  const std::int64_t parts = grid.channels.count * grid.vectors.count;
  parallel_for(chunks * parts, grid.scratch_bytes(), [&](std::int64_t task, void* scratch) {
    const std::int64_t chunk = task / parts, part = task % parts;
    Worker(transforms, args, grid, scratch)
        .compute(chunk, part / grid.vectors.count, part % grid.vectors.count, sums + chunk * size);
  });
  if (chunks == 1) return;
  parallel_ranges(size, kSumSize, [&](std::int64_t begin, std::int64_t end) {
    transforms.engine->sum(sums + begin, size, chunks, dw + begin, end - begin);
  });
}

const char* winograd::weight_gradient_yields(const GradientTransforms& transforms, const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape& y = problem.inputs[1].shape;
  const Grid grid(transforms, p, y);
  if (grid.tiles < kFewestTiles) return "too few tiles to sum up";
  if (min_i64(p.channels, p.filters) < kFewestChannels)
    return "the transforms of so few channels cost more than they save";
  const double products = static_cast<double>(grid.positions * grid.tiles);
  if (products > kMostProducts * 9.0 * static_cast<double>(y[0] * y[1] * y[2]))
    return "too much of its tiles lies outside the picture";
  return nullptr;
}

std::int64_t winograd::weight_gradient_workspace(const GradientTransforms& transforms, const Problem& problem) {
  const Grid grid = grid_of(transforms, problem);
  return grid.chunks.count > 1 ? grid.chunks.count * grid.size() * kFloat : 0;
}

}  // namespace fastcnn

#endif  // FC_X86

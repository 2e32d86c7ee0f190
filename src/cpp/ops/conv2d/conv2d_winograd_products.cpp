// The products between Winograd's transforms (the contract: conv2d_winograd.h), micro-tile by micro-tile. Each calls in
// a share of the U that comes next.
#include "ops/conv2d/conv2d_winograd.h"

#if FC_X86
namespace fastcnn::winograd {

template <const gemm::Engine& engine>
void multiply(const Products& p) {
  constexpr std::int64_t kLine = 64 / sizeof(float);
  const gemm::Blocking& blocking = engine.blocking;
  const std::int64_t vectors = p.width / blocking.width;
  const auto *v = static_cast<const float*>(p.v), *u = static_cast<const float*>(p.u);
  const auto* next = static_cast<const float*>(p.next);
  const float* a[gemm::kMaxTileRows];
  std::int64_t at[gemm::kMaxTileRows];
  const std::int64_t tall = vectors <= blocking.tall_vectors ? blocking.tall_rows : 0;
  gemm::Tile tile{.a = a, .taps = 1, .depth = p.channels, .a_step = 1, .b = u, .columns = p.width, .at = at, .c = p.m};
  tile.finish = true;
  const std::int64_t share = p.channels * kLine, shares = p.next_bytes / (share * std::int64_t{sizeof(float)});
  std::int64_t left = ceil_div(p.tiles, blocking.rows);  // micro-tiles, as even as can be
  for (std::int64_t i = 0, first = 0, last; first < p.tiles; first = last, ++i) {
    if (p.tiles - first >= tall && tall > 0) {
      last = first + tall;
      left = ceil_div(p.tiles - last, blocking.rows);
    } else {
      last = first + ceil_div(p.tiles - first, left--);
    }
    for (std::int64_t r = first; r < last; ++r) {
      a[r - first] = v + r * p.channels;
      at[r - first] = r * p.row;
    }
    tile.prefetch = i < shares ? next + i * share : u;
    (last - first == tall ? engine.tall[vectors - 1] : engine.tile[last - first - 1][vectors - 1])(tile);
  }
}

// Sums of so few terms are over before a micro-tile of 14 rows, which is made ready and finished one by one, pays.
constexpr std::int64_t kFewTerms = 128;

template <const gemm::SplitEngine& engine>
void multiply_pairs(const Products& p) {
  constexpr std::int64_t kItem = gemm::kSplitRowBytes / gemm::kSplitDepth;
  const std::int64_t steps = ceil_div(p.channels, gemm::kSplitDepth);
  const std::int64_t micro_tiles = ceil_div(p.tiles, engine.tile_rows);
  std::int64_t at[gemm::kSplitRows];
  for (int r = 0; r < gemm::kSplitRows; ++r) at[r] = r * p.row;
  gemm::SplitFinish finish{
      .column_tiles = static_cast<int>(p.width / gemm::kSplitColumns), .columns = p.width, .at = at};
  if (steps * gemm::kSplitDepth <= kFewTerms) {
    finish.c = p.m;
    engine.multiply_short({.a = static_cast<const unsigned char*>(p.v),
                           .b = static_cast<const unsigned char*>(p.u),
                           .row_stride = p.channels * kItem,
                           .rows = p.tiles,
                           .pitch = p.row,
                           .pairs = static_cast<int>(p.channels / 2),
                           .calls_in = false,
                           .finish = &finish});
    return;
  }
  gemm::SplitRun run{{}, steps};
  const auto* v = static_cast<const unsigned char*>(p.v);
  gemm::SplitProduct product{.runs = &run,
                             .num_runs = 1,
                             .row_stride = p.channels * kItem,
                             .step_stride = gemm::kSplitRowBytes,
                             .b = static_cast<const unsigned char*>(p.u),
                             .next = static_cast<const unsigned char*>(p.next),
                             .next_bytes = round_up(ceil_div(p.next_bytes, micro_tiles * steps), 64),
                             .row_tiles = 1,
                             .column_tiles = finish.column_tiles,
                             .last_pairs = static_cast<int>((p.channels - 1) % gemm::kSplitDepth / 2 + 1),
                             .finish = &finish};
  const unsigned char* end = product.next + p.next_bytes;
  for (std::int64_t i = 0; i < micro_tiles; ++i) {
    const std::int64_t first = i * p.tiles / micro_tiles, last = (i + 1) * p.tiles / micro_tiles;
    finish.rows = finish.tile_rows = product.tile_rows = static_cast<int>(last - first);
    finish.c = p.m + first * p.row;
    run.a[0] = v + first * p.channels * kItem;
    if (end - product.next < steps * product.next_bytes) product.next_bytes = 0;
    engine.multiply(product);
    product.next += steps * product.next_bytes;
  }
}

template void multiply<gemm::avx2::engine>(const Products&);
template void multiply<gemm::avx512::engine>(const Products&);
template void multiply_pairs<gemm::avx512bf16::bf16>(const Products&);

}  // namespace fastcnn::winograd

#endif  // FC_X86

// Computes   blocks of conv2d_int8's matrix product with AMX (the contract: conv2d_int8.h).
// Layout     rows of bytes, in the picture itself or copied; weights by four neighbouring terms of a column.
// Tile       2 x 2 tiles of sums, 2 of rows, 2 of weights: all 8; 1 x 2 for the last rows.
// Why        a product takes 16 cycles and a load 8 from L1; four chains hide a product's latency.
// Needs      AMX-INT8; weights packed by conv2d_int8_pack_tiles.
// Accuracy   exact.
#include "ops/conv2d_int8/conv2d_int8.h"
#include "simd/int8_amx.h"

namespace fastcnn::amx {
namespace {

void copy(const CodeWindows& windows, std::int64_t first, std::int64_t count, void* to, std::int64_t pitch) {
  fastcnn::avx512vnni::int8_engine.copy(windows, first, count, to, pitch);
}

void begin() {
  TileConfig config;
  for (int t = 0; t < 8; ++t) config.row_bytes[t] = kTileRowBytes, config.rows[t] = kTileRows;
  configure(config);
}

template <bool two>
FC_INLINE void multiply_rows(const Int8Factors& f, std::int32_t* sums) {
  load_tile_rows<0>(f.start, 0);  // the same row 16 times
  load_tile_rows<1>(f.start + 16, 0);
  if constexpr (two) load_tile_rows<2>(f.start, 0), load_tile_rows<3>(f.start + 16, 0);
  const auto* row = static_cast<const unsigned char*>(f.a) + f.first * f.pitch;
  const auto* b = static_cast<const unsigned char*>(f.panel);
  const auto* next = static_cast<const char*>(f.next);
  const std::int64_t next_bytes = ceil_div(f.next_bytes, f.taps * ceil_div(f.run, kInt8Step));
  for (std::int64_t tap = 0; tap < f.taps; ++tap, row += f.tap_pitch) {
    const unsigned char* a = row;
    for (std::int64_t k = 0; k < f.run; k += kInt8Step, a += kInt8Step, b += 2 * kTileBytes) {
      load_tile<6>(b);
      load_tile_rows<4>(a, f.pitch);
      multiply_add_codes<0, 4, 6>();
      load_tile<7>(b + kTileBytes);
      multiply_add_codes<1, 4, 7>();
      if constexpr (two) {
        load_tile_rows<5>(a + kTileRows * f.pitch, f.pitch);
        multiply_add_codes<2, 5, 6>();
        multiply_add_codes<3, 5, 7>();
      }
      for (std::int64_t i = 0; i < next_bytes; i += 64) _mm_prefetch(next + i, _MM_HINT_T1);
      next += next_bytes;
    }
  }
  constexpr std::int64_t kStride = kInt8Columns * 4;
  store_tile_rows<0>(sums, kStride);
  store_tile_rows<1>(sums + 16, kStride);
  if constexpr (two) {
    store_tile_rows<2>(sums + 16 * kInt8Columns, kStride);
    store_tile_rows<3>(sums + 16 * kInt8Columns + 16, kStride);
  }
}

void multiply(const Int8Factors& f, std::int32_t* sums) {
  f.rows > kTileRows ? multiply_rows<true>(f, sums) : multiply_rows<false>(f, sums);
}

void end() { release(); }

void finish(const Int8Block& block) { fastcnn::avx512::int8_engine.finish(block); }

}  // namespace

const Int8Engine int8_engine{.row_items = 1,
                             .packed_pairs = 4,
                             .terms = kInt8Step,
                             .rows = kTileRows,
                             .tile_rows = kTileRows,
                             .gaps = false,
                             .begin = begin,
                             .end = end,
                             .copy = copy,
                             .multiply = multiply,
                             .finish = finish};

}  // namespace fastcnn::amx

// All blocking numbers of the matrix-product engine. The loops that use them are in gemm.cpp, the registers are counted
// in gemm_simd.inl.
#pragma once

#include "core/base.h"

namespace fastcnn::gemm {

// The largest micro-tile of an instruction set: `rows` x (`vectors` * `width`) floats of the result. Where all columns
// fit `tall_vectors` vectors, such a tile leaves registers unused and is over too soon: there tiles have `tall_rows`
// rows.
struct Blocking {
  int rows, vectors, width;
  int tall_rows, tall_vectors;
};

inline constexpr Blocking kAvx512Blocking{.rows = 7, .vectors = 4, .width = 16, .tall_rows = 14, .tall_vectors = 2};
inline constexpr Blocking kAvx512Bf16Blocking{.rows = 14, .vectors = 2, .width = 16, .tall_rows = 0, .tall_vectors = 0};
inline constexpr Blocking kAvx2Blocking{.rows = 6, .vectors = 2, .width = 8, .tall_rows = 12, .tall_vectors = 1};
inline constexpr int kMaxRows = 7;       // of a tile whose rows lie anywhere
inline constexpr int kMaxTileRows = 14;  // of any tile
inline constexpr int kMaxTileVectors = 4;
inline constexpr int kMaxTallVectors = 2;

// A panel of packed B is swept once per micro-tile of rows, so what is swept must stay in L2 beside the rows of A.
// Longer sums are cut, and the partial result waits in C.
inline constexpr std::int64_t kPanelBytes = 512 * 1024;

// All of B stays in L2 when it is no larger than this: then a task takes its rows through all panels. Not more than
// kPanelBytes, since sums are not cut there.
inline constexpr std::int64_t kResidentBytes = kPanelBytes;

// Sums of at most this many terms are over before the lines of C that they call in would have come.
inline constexpr std::int64_t kShortSum = 96;

// Sums of fewer terms go through the micro-kernel of short_simd.inl, at most kStretch rows a call: a number that its
// tiles divide, whose rows of A and panel of B fit L1. The result is near, and not called in, up to kNearResult bytes.
inline constexpr std::int64_t kFewTerms = 64;
inline constexpr std::int64_t kStretch = 96;
inline constexpr std::int64_t kNearResult = std::int64_t{8} << 20;

// A task should be worth handing to a thread (multiply-adds), and there should be enough of them for a large machine.
inline constexpr std::int64_t kTaskWork = std::int64_t{1} << 18;
inline constexpr std::int64_t kTasks = 96;
// Fewer tiles than this per task would fetch the panel of B from L3 for too little work.
inline constexpr std::int64_t kTaskTiles = 2;

// Sums of outer products (outer.cpp): a micro-tile is `rows` x (`vectors` * `width`) floats of the result.
struct OuterBlocking {
  int rows, vectors, width;
};
inline constexpr OuterBlocking kAvx512OuterBlocking{.rows = 12, .vectors = 2, .width = 16};
inline constexpr OuterBlocking kAvx2OuterBlocking{.rows = 6, .vectors = 2, .width = 8};
inline constexpr int kMaxOuterRows = 12;
inline constexpr int kMaxOuterVectors = 2;
// Pixels that are summed up in registers before the result is touched: their part of B is a panel that stays in L1.
inline constexpr std::int64_t kOuterPixels = 256;
// A task has at most so many rows and columns of the result for each tap, whose pixels stay in L2,
inline constexpr std::int64_t kOuterRows = 256;
inline constexpr std::int64_t kOuterColumns = 256;
// and where there would be fewer tasks than kOuterTasks, the pixels are cut into chunks of at least kOuterChunk, whose
// sums take at most kOuterBytes, then the taps, then columns and rows, down to these.
inline constexpr std::int64_t kOuterTasks = 16;
inline constexpr std::int64_t kOuterChunk = 512;
inline constexpr std::int64_t kOuterBytes = std::int64_t{64} << 20;
inline constexpr std::int64_t kOuterLeastRows = 56;
inline constexpr std::int64_t kOuterLeastColumns = 64;
// Fewer channels than this are too short a tile: a row of the window is one.
inline constexpr std::int64_t kOuterFewChannels = 8;

// Products of floats split into bf16 parts (split_gemm.cpp). A task has at most this many strips of 32 rows, their
// parts staying in L2 beside a panel of B; of longer sums, so much of the parts at a time.
inline constexpr std::int64_t kSplitStrips = 4;
// ... or this many, where B comes from L3: then it comes less often.
inline constexpr std::int64_t kSplitManyStrips = 8;
inline constexpr std::int64_t kSplitResidentBytes = 1024 * 1024;
inline constexpr std::int64_t kSplitBytes = 512 * 1024;
// Where there are few rows, tasks share them: each splits them anew, so for no fewer panels of 32 columns than this;
// and for no more than these, since C waits between the parts of the sum.
inline constexpr std::int64_t kSplitPanels = 8;
inline constexpr std::int64_t kSplitMaxPanels = 16;
inline constexpr std::int64_t kSplitTasks = 16;
inline constexpr std::int64_t kSplitLeastTasks = 2;
inline constexpr std::int64_t kSplitStreamAhead = 16 * 1024;  // bytes of B called in, where each is used once
inline constexpr std::int64_t kSplitPackSteps = 4;            // of 32 rows of B, packed at a time

// Sums of outer products by parts (split_outer.cpp): pixels that are split at a time, by the number of parts; rows and
// columns of a task, tasks that are wanted, and the fewest pixels of a chunk.
inline constexpr std::int64_t kSplitOuterPixels[] = {1024, 512, 512};
inline constexpr std::int64_t kSplitOuterRows = 256;
inline constexpr std::int64_t kSplitOuterTasks = 16;
inline constexpr std::int64_t kSplitOuterChunk = 1024;
// The same of pictures in bfloat16 (ops/conv2d/conv2d_weight_gradient_bf16.cpp): pixels of a block; with fewer channels
// than these, and several taps, multiply-adds are faster; channels of a task, with one tap and with several.
struct Bf16OuterBlocking {
  std::int64_t pixels, channels;
};
inline constexpr Bf16OuterBlocking kAmxBf16Outer{1024, 0};
inline constexpr Bf16OuterBlocking kAvx512Bf16Outer{256, 8};  // a panel stays in L1
inline constexpr std::int64_t kBf16OuterChannels = 256, kBf16OuterTapChannels = 128;
// Fewer channels than these, of either picture, or fewer products a pixel are faster by fused multiply-adds.
struct SplitOuterLeast {
  std::int64_t channels, products;
};
inline constexpr SplitOuterLeast kSplitOuterLeast[] = {{32, 24576}, {64, 32768}, {64, 131072}};

// Below these a product by one or two parts is slower than fused multiply-adds. B may be larger than `bytes` where it
// is used by many rows.
struct SplitLeast {
  std::int64_t rows, depth, columns, bytes;
};
inline constexpr SplitLeast kSplitLeast[] = {{1, 32, 32, INT64_MAX}, {12, 64, 48, 9 << 19}};
inline constexpr std::int64_t kSplitBytesPerRow = 16 * 1024;

}  // namespace fastcnn::gemm

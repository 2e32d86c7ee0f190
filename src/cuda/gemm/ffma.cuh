// The engine's product (product.h) by fused multiply-adds in float32.
//
// Computes   C = A B, each element one chain of fused multiply-adds over the terms upwards, from 0.
// Layout     functors say where elements lie. A tile of an operand in shared memory is terms x lines, or, where four
//            terms come as one vector, lines x terms: what is copied asynchronously cannot be turned on the way.
// Threads    128 x 128 tile, 16 terms a step, 256 threads, each 8 x 8 of C: 64 accumulators, 24 to 48 factors, at most
// and tile   128 registers; two stages of (128 + 128) x 16 floats, up to 40 KB with their padding. Smaller problems:
//            64 x 64 by 128 threads, 8 x 4 each, 20 KB; few columns: 128 x 32 by 128 threads, 8 x 4, 27 KB. A warp's
//            threads are 4 x 8: of A it reads four lines at a time, of B eight, without bank conflicts.
// Why        64 multiply-adds need 16 factors: 4 to 6 shared loads for them. The copies of the next step are under
//            way while this one is computed; one barrier a step.
// Bounds     multiply-adds; memory where depth or columns are few.
// Needs      nothing; below sm_80 the copies are ordinary ones, whose latency the other block of the processor hides.
// Accuracy   that of a sequential sum in float32.
#pragma once

#include "core/launch.h"
#include "core/ptx.h"
#include "gemm/block.cuh"

namespace fastcnn::cuda::gemm {

// A block's tile of C is rows x columns, a thread's share of it thread_rows x thread_columns.
template <int rows_, int columns_, int thread_rows_, int thread_columns_>
struct FfmaTile {
  static constexpr int kRows = rows_, kColumns = columns_, kThreadRows = thread_rows_, kThreadColumns = thread_columns_;
  static constexpr int kDepth = 16;                                                       // terms a step
  static constexpr int kDown = kRows / kThreadRows, kAcross = kColumns / kThreadColumns;  // threads
  static constexpr int kThreads = kDown * kAcross;
  static constexpr int kWarpDown = 4, kWarpAcross = 8;
  static constexpr int kUnroll = kThreadRows * kThreadColumns >= 64 ? 1 : kDepth;  // of pairs of terms: registers
  static_assert(kDown % kWarpDown == 0 && kAcross % kWarpAcross == 0 && kThreadRows % 4 == 0 &&
                kThreadColumns % 4 == 0);
};

// The tiles of one operand: how the threads copy them and where a thread finds its lines.
template <class F, int lines, int per_thread, class Tile>
struct FfmaOperand {
  static constexpr bool kTermsLie = F::kLie == Lie::Terms, kWide = F::kLie != Lie::Apart;
  static constexpr int kVector = kWide ? 4 : 1;
  static constexpr int kPitch = (kTermsLie ? Tile::kDepth : lines) + 4;
  static constexpr int kFloats = (kTermsLie ? lines : Tile::kDepth) * kPitch;
  // Neighbouring threads copy neighbouring vectors; of single floats 8 terms x 4 lines are a warp's.
  static constexpr int kTermSlots = kTermsLie ? Tile::kDepth / 4 : kWide ? Tile::kThreads / (lines / 4) : 8;
  static constexpr int kLineSlots = Tile::kThreads / kTermSlots;
  static constexpr int kLineVector = F::kLie == Lie::Lines ? 4 : 1, kTermVector = kTermsLie ? 4 : 1;
  static constexpr int kLineCount = lines / kLineVector / kLineSlots;
  static constexpr int kTermCount = Tile::kDepth / kTermVector / kTermSlots;
  static_assert(kLineCount >= 1 && kTermCount >= 1);

  static __device__ __forceinline__ void copy(const F& f, const typename F::Line* found, float* tile,
                                              std::int64_t first_term, std::int64_t last_term) {
    const int t = static_cast<int>(threadIdx.x);
    constexpr bool kTermsFirst = F::kLie != Lie::Lines;
    const int term_at = (kTermsFirst ? t % kTermSlots : t / kLineSlots) * kTermVector;
    const int line_at = kTermsFirst ? t / kTermSlots : t % kLineSlots;
#pragma unroll
    for (int p = 0; p < kTermCount; ++p) {
      const int in_tile = term_at + p * kTermSlots * kTermVector;
      const std::int64_t k = first_term + in_tile;
      const bool in_sum = k < last_term;
      const auto term = f.term(in_sum ? k : first_term);
#pragma unroll
      for (int i = 0; i < kLineCount; ++i) {
        const int vector = line_at + i * kLineSlots, l = vector * kLineVector;
        const float* at;
        const bool inside = f.find(found[vector], term, &at) && in_sum;
        copy_async<4 * kVector>(tile + (kTermsLie ? l * kPitch + in_tile : in_tile * kPitch + l), inside ? at : f.data,
                                inside ? 4 * kVector : 0);
      }
    }
  }

  // The line of a tile that is number i of thread `t`, of `threads` along this side.
  static __device__ __forceinline__ int line_of(int t, int i, int threads) {
    return kTermsLie ? i * threads + t : i / 4 * (4 * threads) + 4 * t + i % 4;
  }

  // Its factors of two terms, if those lie together; and of the term that is number r of them, if lines do.
  template <int threads>
  static __device__ __forceinline__ void read_two(const float* tile, int t, int k, float (&factors)[2][per_thread]) {
    if constexpr (kTermsLie) {
#pragma unroll
      for (int i = 0; i < per_thread; ++i) {
        float two[2];
        load(tile + line_of(t, i, threads) * kPitch + k, two);
        factors[0][i] = two[0], factors[1][i] = two[1];
      }
    }
  }
  template <int threads>
  static __device__ __forceinline__ void read_one(const float* tile, int t, int k, float (&factors)[per_thread]) {
    if constexpr (!kTermsLie) {
#pragma unroll
      for (int i = 0; i < per_thread; i += 4) {
        float four[4];
        load(tile + k * kPitch + line_of(t, i, threads), four);
#pragma unroll
        for (int j = 0; j < 4; ++j) factors[i + j] = four[j];
      }
    }
  }
};

template <class Tile, class A, class B>
struct FfmaShared {
  using Rows = FfmaOperand<A, Tile::kRows, Tile::kThreadRows, Tile>;
  using Columns = FfmaOperand<B, Tile::kColumns, Tile::kThreadColumns, Tile>;
  using RowLines = TileLines<A, Tile::kRows>;
  using ColumnLines = TileLines<B, Tile::kColumns>;
  static constexpr int kStage = Rows::kFloats + Columns::kFloats, kStages = 2;
  static constexpr std::size_t kRowsAt = kStage * kStages * sizeof(float);
  static constexpr std::size_t kColumnsAt = kRowsAt + RowLines::kBytes;
  static constexpr std::size_t kBytes = kColumnsAt + ColumnLines::kBytes;
  // C leaves some of each thread's rows at a time, as many as fit where the operands were.
  static constexpr int kPitch = Tile::kColumns + 4;
  static constexpr int kRowsOut = Tile::kThreadRows * Tile::kDown * kPitch <= kStage * kStages ? Tile::kThreadRows : 4;
  static_assert(kRowsOut * Tile::kDown * kPitch <= kStage * kStages);
};

template <class Tile, class A, class B, class Finish>
__global__ __launch_bounds__(Tile::kThreads, 256 / Tile::kThreads * 2) void multiply_ffma(Sizes s, Parts parts, A a,
                                                                                          B b, Finish finish) {
  using Shared = FfmaShared<Tile, A, B>;
  using Rows = typename Shared::Rows;
  using Columns = typename Shared::Columns;
  FC_DYNAMIC_SHARED(float, shared);
  FC_SHARED(Place, place, );  // as the lines
  if (threadIdx.x == 0) place = place_of_block<Tile::kRows, Tile::kColumns>(s, parts);
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  constexpr int kWarpsAcross = Tile::kAcross / Tile::kWarpAcross;
  const int down = warp / kWarpsAcross * Tile::kWarpDown + lane / Tile::kWarpAcross;
  const int across = warp % kWarpsAcross * Tile::kWarpAcross + lane % Tile::kWarpAcross;

  auto* const bytes = reinterpret_cast<unsigned char*>(shared);
  auto* const rows = reinterpret_cast<typename A::Line*>(bytes + Shared::kRowsAt);
  auto* const columns = reinterpret_cast<typename B::Line*>(bytes + Shared::kColumnsAt);
  Shared::RowLines::template find<Tile::kThreads>(a, rows, place.batch, place.row, s.rows);
  Shared::ColumnLines::template find<Tile::kThreads>(b, columns, place.batch, place.column, s.columns);
  __syncthreads();
  const auto copy = [&](int step) {
    float* stage = shared + (step % 2) * Shared::kStage;
    const std::int64_t first = place.first_term + std::int64_t{step} * Tile::kDepth;
    Rows::copy(a, rows, stage, first, place.last_term);
    Columns::copy(b, columns, stage + Rows::kFloats, first, place.last_term);
    copy_async_commit();
  };

  float sums[Tile::kThreadRows][Tile::kThreadColumns] = {};
  const int steps = static_cast<int>(ceil_div(place.last_term - place.first_term, Tile::kDepth));
  if (steps > 0) copy(0);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    __syncthreads();
    if (step + 1 < steps) copy(step + 1);
    const float* stage = shared + (step % 2) * Shared::kStage;
#pragma unroll Tile::kUnroll
    for (int k = 0; k < Tile::kDepth; k += 2) {
      float row[2][Tile::kThreadRows], column[2][Tile::kThreadColumns];
      Rows::template read_two<Tile::kDown>(stage, down, k, row);
      Columns::template read_two<Tile::kAcross>(stage + Rows::kFloats, across, k, column);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        Rows::template read_one<Tile::kDown>(stage, down, k + r, row[r]);
        Columns::template read_one<Tile::kAcross>(stage + Rows::kFloats, across, k + r, column[r]);
#pragma unroll
        for (int i = 0; i < Tile::kThreadRows; ++i)
#pragma unroll
          for (int j = 0; j < Tile::kThreadColumns; ++j) sums[i][j] = fmaf(row[r][i], column[r][j], sums[i][j]);
      }
    }
  }

  constexpr int kOut = Shared::kRowsOut;
#pragma unroll
  for (int first = 0; first < Tile::kThreadRows; first += kOut) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kOut; ++i) {
      float* to = shared + (i * Tile::kDown + down) * Shared::kPitch;
#pragma unroll
      for (int j = 0; j < Tile::kThreadColumns; j += 4) {
        const float (&from)[Tile::kThreadColumns] = sums[first + i];
        if constexpr (Columns::kTermsLie) {
#pragma unroll
          for (int c = j; c < j + 4; ++c) to[Columns::line_of(across, c, Tile::kAcross)] = from[c];
        } else {
          const float four[4] = {from[j], from[j + 1], from[j + 2], from[j + 3]};
          store(to + Columns::line_of(across, j, Tile::kAcross), four);
        }
      }
    }
    __syncthreads();
    drain<kOut * Tile::kDown, Tile::kColumns, Shared::kPitch, Tile::kThreads>(
        shared, s, parts, place, finish,
        [&](int line) { return Rows::line_of(line % Tile::kDown, first + line / Tile::kDown, Tile::kDown); });
  }
}

using FfmaLarge = FfmaTile<128, 128, 8, 8>;
using FfmaSmall = FfmaTile<64, 64, 8, 4>;
using FfmaNarrow = FfmaTile<128, 32, 8, 4>;

template <class Tile, class A, class B, class Finish>
void launch_ffma_tile(const char* name, const KernelArgs& args, const Sizes& s, const Parts& parts, const A& a,
                      const B& b, const Finish& finish) {
  launch(name, multiply_ffma<Tile, A, B, Finish>,
         {blocks_of<Tile::kRows, Tile::kColumns>(s, parts), dim3(Tile::kThreads), FfmaShared<Tile, A, B>::kBytes}, args,
         s, parts, a, b, finish);
}

template <class A, class B, class Finish>
void launch_ffma(const char* name, const KernelArgs& args, const Sizes& s, const Parts& parts, const A& a, const B& b,
                 const Finish& finish) {
  if (s.columns <= FfmaNarrow::kColumns)
    launch_ffma_tile<FfmaNarrow>(name, args, s, parts, a, b, finish);
  else if (large_tiles_pay(s, parts))
    launch_ffma_tile<FfmaLarge>(name, args, s, parts, a, b, finish);
  else
    launch_ffma_tile<FfmaSmall>(name, args, s, parts, a, b, finish);
}

}  // namespace fastcnn::cuda::gemm

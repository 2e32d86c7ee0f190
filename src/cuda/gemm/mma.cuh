// The engine's product (product.h) on tensor cores, floats being sums of bfloat16 parts (docs/precision.md).
//
// Computes   C = A B from factors split into parts, a = a1 + a2 + a3: three parts a1 b1 + a1 b2 + a2 b1 + a1 b3 +
//            a2 b2 + a3 b1, two parts a1 b1 + a1 b2 + a2 b1, one part a1 b1. Sums in float32.
// Layout     functors say where elements lie. Split while they are put into shared memory, each once for a block: for
//            each 16 terms and each part lines of 32 bytes, term by term. A lane's pairs of terms for mma.sync are 4 of
//            a line that lie together: which terms are which does not matter to a sum, as long as A and B agree.
//            Groups of four lines are permuted by their number, so that neither reading nor writing meets a bank twice.
// Threads    128 x 128 tile by 8 warps, each 64 x 32 of C: 64 accumulators, with the factors and what is fetched for
// and tile   the next step 130 to 212 registers. 16 terms a step (32 of one part), two buffers: 34 KB, 51 KB of three
//            parts. Smaller problems: 64 x 64 by 4 warps, each 32 x 32, 118 to 144 registers; 17 or 25 KB.
// Why        a step of three parts is 96 products for 36 shared loads of 8 bytes; the next step's numbers are on their
//            way from memory meanwhile. One barrier a step.
// Bounds     tensor cores; with one part the loads from shared memory nearly as much.
// Needs      sm_80.
// Accuracy   dropped of a product, relative to it: three parts 2^-24, two 2^-15, one 2^-7. Tensor cores cut sums where
//            float32 rounds them, which would add up: of two and three parts every 16 terms are summed by themselves,
//            the small products first, and added to C by ordinary additions. Near the largest float the first part of
//            several is cut, not rounded, and so is finite. An infinite factor gives NaN but in one part.
// Source     G. Henry, P. Tang, A. Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype For
//            Higher-Precision Computations, 2019; H. Ootomo, R. Yokota, Recovering single precision accuracy from
//            Tensor Cores while surpassing the FP32 theoretical peak performance, 2022.
#pragma once

#include "core/launch.h"
#include "core/ptx.h"
#include "gemm/block.cuh"
#include "gemm/split.cuh"

namespace fastcnn::cuda::gemm {

// Two floats -> their parts, in pairs.
template <int parts>
__device__ __forceinline__ void split(float x, float y, std::uint32_t (&pairs)[parts]) {
  if constexpr (parts == 1) {
    pairs[0] = to_bf16_pair(x, y);
  } else {
    const auto first = [](float v) {  // rounded, but cut where that would give infinity
      const auto bits = __builtin_bit_cast(std::uint32_t, v);
      return (bits + (bits << 1 < 0xfeff0000u ? 0x8000u : 0u)) & 0xffff0000u;
    };
    std::uint32_t low = first(x), high = first(y);
    pairs[0] = low >> 16 | high;
#pragma unroll
    for (int part = 1; part < parts; ++part) {
      x -= __builtin_bit_cast(float, low), y -= __builtin_bit_cast(float, high);
      pairs[part] = to_bf16_pair(x, y);
      low = pairs[part] << 16, high = pairs[part] & 0xffff0000u;
    }
  }
}

template <int parts_, int rows_, int columns_, int warps_down, int warps_across>
struct MmaTile {
  static constexpr int kParts = parts_, kRows = rows_, kColumns = columns_;
  static constexpr int kWarpsAcross = warps_across, kThreads = warps_down * warps_across * kWarp;
  static constexpr int kWarpsDown = warps_down;
  static constexpr int kWarpRows = kRows / warps_down, kWarpColumns = kColumns / warps_across;
  static constexpr int kDown = kWarpRows / 16, kAcross = kWarpColumns / 8;  // products of a warp
  static constexpr int kChunks = kParts == 1 ? 2 : 1;                       // of 16 terms, a step
};

inline constexpr int kChunk = 16, kLineWords = kChunk / 2;

// The tiles of one operand in shared memory, (chunk, part, line, pair of terms), and how threads bring them there.
template <class F, int lines, class Tile>
struct MmaOperand {
  static constexpr int kParts = Tile::kParts, kPlane = lines * kLineWords;
  static constexpr int kWords = Tile::kChunks * kParts * kPlane;
  using Lines = TileLines<F, lines>;
  // What a thread fetches at a time: four terms of a line, two of four lines, two of one.
  static constexpr bool kTermsLie = F::kLie == Lie::Terms;
  static constexpr int kVector = F::kLie == Lie::Apart ? 1 : 4;
  static constexpr int kTerms = kTermsLie ? 4 : 2, kGroups = kChunk / kTerms;
  static constexpr int kFetches = kTermsLie ? 1 : 2;  // vectors
  static constexpr int kSlots = Tile::kThreads / kGroups, kCount = Lines::kCount / kSlots;
  static_assert(kCount >= 1);

  float fetched[Tile::kChunks][kCount][kFetches][kVector];

  static __device__ __forceinline__ int group() { return static_cast<int>(threadIdx.x) % kGroups; }
  static __device__ __forceinline__ int line(int i) { return static_cast<int>(threadIdx.x) / kGroups + i * kSlots; }
  static __device__ __forceinline__ int place_of(int line) { return (line ^ (line >> 2 & 3)) * kLineWords; }

  __device__ __forceinline__ void fetch(const F& f, const typename F::Line* found, std::int64_t first_term,
                                        std::int64_t last_term) {
#pragma unroll
    for (int chunk = 0; chunk < Tile::kChunks; ++chunk)
#pragma unroll
      for (int n = 0; n < kFetches; ++n) {
        const std::int64_t k = first_term + chunk * kChunk + group() * kTerms + n;
        const bool in_sum = k < last_term;
        const auto term = f.term(in_sum ? k : first_term);
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          const float* at;
          const bool inside = f.find(found[line(i)], term, &at) && in_sum;
          float (&to)[kVector] = fetched[chunk][i][n];
#pragma unroll
          for (int v = 0; v < kVector; ++v) to[v] = 0.0f;
          if (inside) load(at, to);
        }
      }
  }

  __device__ __forceinline__ void put(std::uint32_t* tile) const {
#pragma unroll
    for (int chunk = 0; chunk < Tile::kChunks; ++chunk, tile += kParts * kPlane)
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const float (&from)[kFetches][kVector] = fetched[chunk][i];
        if constexpr (kTermsLie) {
          std::uint32_t low[kParts], high[kParts];
          split(from[0][0], from[0][1], low);
          split(from[0][2], from[0][3], high);
#pragma unroll
          for (int part = 0; part < kParts; ++part)
            *reinterpret_cast<uint2*>(tile + part * kPlane + place_of(line(i)) + 2 * group()) =
                make_uint2(low[part], high[part]);
        } else {
#pragma unroll
          for (int v = 0; v < kVector; ++v) {
            std::uint32_t pairs[kParts];
            split(from[0][v], from[1][v], pairs);
#pragma unroll
            for (int part = 0; part < kParts; ++part)
              tile[part * kPlane + place_of(line(i) * kVector + v) + group()] = pairs[part];
          }
        }
      }
  }

  // Four terms of a line, for the lane that has these.
  static __device__ __forceinline__ uint2 read(const std::uint32_t* tile, int chunk, int part, int line, int lane) {
    return *reinterpret_cast<const uint2*>(tile + (chunk * kParts + part) * kPlane + place_of(line) + 2 * (lane % 4));
  }
};

template <class Tile, class A, class B>
struct MmaShared {
  using Rows = MmaOperand<A, Tile::kRows, Tile>;
  using Columns = MmaOperand<B, Tile::kColumns, Tile>;
  static constexpr int kStage = Rows::kWords + Columns::kWords;
  static constexpr std::size_t kRowsAt = 2 * kStage * sizeof(std::uint32_t);
  static constexpr std::size_t kColumnsAt = kRowsAt + Rows::Lines::kBytes;
  static constexpr std::size_t kBytes = kColumnsAt + Columns::Lines::kBytes;
  // C leaves by 16 rows of each warp where the operands were.
  static constexpr int kPitch = Tile::kColumns + 8, kLinesOut = Tile::kWarpsDown * 16;
  static_assert(kLinesOut * kPitch <= 2 * kStage);
};

template <class Tile, class A, class B, class Finish>
__global__ __launch_bounds__(Tile::kThreads, 1) void multiply_mma(Sizes s, Parts parts, A a, B b, Finish finish) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800  // rows decline older devices: no code for them
  using Shared = MmaShared<Tile, A, B>;
  using Rows = typename Shared::Rows;
  using Columns = typename Shared::Columns;
  FC_DYNAMIC_SHARED(std::uint32_t, shared);
  FC_SHARED(Place, place, );
  if (threadIdx.x == 0) place = place_of_block<Tile::kRows, Tile::kColumns>(s, parts);
  __syncthreads();
  auto* const bytes = reinterpret_cast<unsigned char*>(shared);
  auto* const row_lines = reinterpret_cast<typename A::Line*>(bytes + Shared::kRowsAt);
  auto* const column_lines = reinterpret_cast<typename B::Line*>(bytes + Shared::kColumnsAt);
  Rows::Lines::template find<Tile::kThreads>(a, row_lines, place.batch, place.row, s.rows);
  Columns::Lines::template find<Tile::kThreads>(b, column_lines, place.batch, place.column, s.columns);
  __syncthreads();

  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int first_row = warp / Tile::kWarpsAcross * Tile::kWarpRows;
  const int first_column = warp % Tile::kWarpsAcross * Tile::kWarpColumns;

  constexpr int kTerms = Tile::kChunks * kChunk;
  Rows rows;
  Columns columns;
  const auto fetch = [&](int step) {
    const std::int64_t first = place.first_term + std::int64_t{step} * kTerms;
    rows.fetch(a, row_lines, first, place.last_term);
    columns.fetch(b, column_lines, first, place.last_term);
  };
  const auto put = [&](int step) {
    std::uint32_t* stage = shared + (step % 2) * Shared::kStage;
    rows.put(stage);
    columns.put(stage + Rows::kWords);
  };

  MmaSums sums[Tile::kDown][Tile::kAcross] = {};
  const int steps = static_cast<int>(ceil_div(place.last_term - place.first_term, kTerms));
  if (steps > 0) fetch(0), put(0);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    __syncthreads();
    if (step + 1 < steps) fetch(step + 1);
    const std::uint32_t* stage = shared + (step % 2) * Shared::kStage;
#pragma unroll
    for (int chunk = 0; chunk < Tile::kChunks; ++chunk) {
      uint2 column[Tile::kParts][Tile::kAcross];
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part)
#pragma unroll
        for (int j = 0; j < Tile::kAcross; ++j)
          column[part][j] = Columns::read(stage + Rows::kWords, chunk, part, first_column + 8 * j + lane / 4, lane);
#pragma unroll
      for (int i = 0; i < Tile::kDown; ++i) {
        uint2 upper[Tile::kParts], lower[Tile::kParts];
#pragma unroll
        for (int part = 0; part < Tile::kParts; ++part) {
          upper[part] = Rows::read(stage, chunk, part, first_row + 16 * i + lane / 4, lane);
          lower[part] = Rows::read(stage, chunk, part, first_row + 16 * i + lane / 4 + 8, lane);
        }
        MmaSums apart[Tile::kAcross] = {};
        // The products of parts m and n, m + n being the same, are of one magnitude: the smallest come first.
#pragma unroll
        for (int both = Tile::kParts - 1; both >= 0; --both)
#pragma unroll
          for (int m = 0; m <= both; ++m)
#pragma unroll
            for (int j = 0; j < Tile::kAcross; ++j) {
              const uint2 of_column = column[both - m][j];
              mma_bf16(Tile::kParts == 1 ? sums[i][j] : apart[j],
                       {{upper[m].x, lower[m].x, upper[m].y, lower[m].y}, {of_column.x, of_column.y}});
            }
        if constexpr (Tile::kParts > 1) {
#pragma unroll
          for (int j = 0; j < Tile::kAcross; ++j)
#pragma unroll
            for (int c = 0; c < 4; ++c) sums[i][j].c[c] += apart[j].c[c];
        }
      }
    }
    if (step + 1 < steps) put(step + 1);
  }

  auto* const out = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int i = 0; i < Tile::kDown; ++i) {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < Tile::kAcross; ++j) {
      float* to =
          out + (warp / Tile::kWarpsAcross * 16 + lane / 4) * Shared::kPitch + first_column + 8 * j + lane % 4 * 2;
      const float (&c)[4] = sums[i][j].c;
      *reinterpret_cast<float2*>(to) = make_float2(c[0], c[1]);
      *reinterpret_cast<float2*>(to + 8 * Shared::kPitch) = make_float2(c[2], c[3]);
    }
    __syncthreads();
    drain<Shared::kLinesOut, Tile::kColumns, Shared::kPitch, Tile::kThreads>(
        out, s, parts, place, finish, [&](int line) { return line / 16 * Tile::kWarpRows + 16 * i + line % 16; });
  }
#endif
}

template <int parts>
using MmaLarge = MmaTile<parts, 128, 128, 2, 4>;
template <int parts>
using MmaSmall = MmaTile<parts, 64, 64, 2, 2>;

template <class Tile, class A, class B, class Finish>
void launch_mma_tile(const char* name, const KernelArgs& args, const Sizes& s, const Parts& parts, const A& a,
                     const B& b, const Finish& finish) {
  launch(name, multiply_mma<Tile, A, B, Finish>,
         {blocks_of<Tile::kRows, Tile::kColumns>(s, parts), dim3(Tile::kThreads), MmaShared<Tile, A, B>::kBytes}, args,
         s, parts, a, b, finish);
}

// bf16_parts: 3, 2 or 1; `sums` has split_workspace(s) bytes. Large tiles where they leave a device something to do and
// the operands come in vectors: products of single floats are bound by their loads. Not measured on hardware.
template <int bf16_parts, bool large = true, class A, class B, class Finish>
void launch_mma(const char* name, const KernelArgs& args, const Sizes& s, const A& a, const B& b, const Finish& finish,
                float* sums) {
  constexpr bool kMayBeLarge = large && A::kLie != Lie::Apart && B::kLie != Lie::Apart;
  Parts parts = parts_of(s);
  parts.sums = sums;
  if constexpr (kMayBeLarge)
    if (large_tiles_pay(s, parts)) launch_mma_tile<MmaLarge<bf16_parts>>(name, args, s, parts, a, b, finish);
  if (!kMayBeLarge || !large_tiles_pay(s, parts))
    launch_mma_tile<MmaSmall<bf16_parts>>(name, args, s, parts, a, b, finish);
  launch_add_parts(name, args, s, parts, finish);
}

// Why the rows of these kernels do not run on the device in use.
inline const char* mma_declines() {
  return capability().at_least(8) ? nullptr : "tensor cores multiply bfloat16 from compute capability 8.0 on";
}

// Why multiply-adds in float32 are faster. Not measured on hardware, but taken from NVIDIA's published peaks: for each
// multiply-add in float32 tensor cores do 15 and more in bfloat16 on 8.0, 9.0 and 10.x, and 2 to 3 on 8.6, 8.9
// and 12.x.
inline const char* mma_yields(const Sizes& s, int bf16_parts) {
  const Capability& device = capability();
  const bool few_tensor_cores = (device.major == 8 && device.minor > 0) || device.major >= 12;
  if (bf16_parts > 1 && few_tensor_cores)
    return "multiply-adds in float32 are faster than that many products on tensor cores of this device";
  if (s.columns < 16 || s.rows < 16 || s.depth < 16) return "tiles for tensor cores would be nearly empty";
  return nullptr;
}

}  // namespace fastcnn::cuda::gemm

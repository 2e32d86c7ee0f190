// Computes   a micro-tile of C = act(A B + bias + residual): rows x (vectors * width) floats (the contract: tile.h).
// Layout     A: a pointer per row and tap into the picture itself (an "indirect" GEMM: no im2col, no packing of A);
//            B: a panel packed by gemm.cpp, read front to back; C: rows anywhere.
// Tile       AVX-512 7 x 64: 28 accumulators + 3 of B + 1 broadcast of A = all 32 registers; the fourth of B is an
//            operand in memory: 38 instructions with 17 loads for 28 multiply-adds.
//            AVX2 6 x 16: 12 accumulators + 2 + 1 = 15 of 16: 8 loads for 12 multiply-adds.
//            Few columns: AVX-512 14 x 32 (28 + 2 + 1 registers), 14 x 16 (14 + 1); AVX2 12 x 8 (12 + 1 + 1).
// Why        both units start a multiply-add each cycle and two loads are served beside them, so the loads must be
//            fewer than the multiply-adds; 4 cycles of latency want at least 8 accumulators. Where another thread has
//            half of the core, instructions count, not loads alone. Seven rows divide the
//            pictures of ImageNet networks (224, 112, 56, 28, 14, 7), and a tile that is one row of a 7 x 7 picture
//            may leave out the taps above and below it. Where a tile is short, starting and storing it cost as much
//            as its sums; where it is one vector wide, seven accumulators do not cover the latency: hence 14 rows.
//            Their pointers would not fit the registers, so tall tiles are rows at one distance.
// Needs      nothing: fewer rows and fewer columns are instances of their own, the last columns are masked.
// Accuracy   one chain of fused multiply-adds an element: |error| <= K eps sum |a b|.
// Source     M. Dukhan, The Indirect Convolution Algorithm, 2019; K. Goto and R. van de Geijn, Anatomy of
//            High-Performance Matrix Multiplication, 2008.
#include "gemm/tile.h"
#include "simd/math.inl"

namespace fastcnn::gemm::FC_SIMD {
namespace {

using namespace fastcnn::FC_SIMD;

template <int rows, int vectors>
struct Accumulators {
  F32 v[rows][vectors];
};

// Calls body(r, v) for every register of the tile, unrolled so that the tile stays in registers.
template <int rows, int vectors, class Body>
FC_INLINE void each(const Body& body) {
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) body(r, v);
}

// k steps between two looks at what else there is to do.
constexpr std::int64_t kStride = 8;
// How far ahead, in floats, tiles of few rows call in B.
constexpr std::int64_t kAhead = 2048;

// Hides from the compiler where a number comes from, so that it forms addresses from it where they are used.
template <class T>
FC_INLINE void hide(T& v) {
  asm("" : "+r"(v));
}

// The rows of A within one tap: a pointer each,
template <int rows, bool even = (rows > kMaxRows)>
struct Rows {
  const float* p[rows];
  std::int64_t offset = 0;

  FC_INLINE Rows(const float* const* a) {
    for (int r = 0; r < rows; ++r) p[r] = a[r];
  }
  FC_INLINE F32 get(int r) const { return set(p[r][offset]); }
  FC_INLINE void next(std::int64_t step) { offset += step; }
};

// or, of more rows than there are registers for pointers, one for each seven: the address modes of x86 reach 0, 1, 2,
// 4 and 8 times a register, so that with one, three and five times the distance seven rows are in reach.
template <int rows>
struct Rows<rows, true> {
  static constexpr int kReach = 7, kPointers = (rows + kReach - 1) / kReach;
  const float* p[kPointers];
  std::int64_t one, three, five;

  FC_INLINE Rows(const float* const* a) : one(a[1] - a[0]), three(3 * one), five(5 * one) {
    for (int i = 0; i < kPointers; ++i) p[i] = a[0] + i * kReach * one;
    keep();
  }
  FC_INLINE F32 get(int r) const {
    const std::int64_t distance[kReach] = {0, one, 2 * one, three, 4 * one, five, 2 * three};
    return set(p[r / kReach][distance[r % kReach]]);
  }
  FC_INLINE void next(std::int64_t step) {
    for (int i = 0; i < kPointers; ++i) p[i] += step;
    keep();
  }

 private:
  FC_INLINE void keep() {
    hide(one), hide(three), hide(five);
    for (int i = 0; i < kPointers; ++i) hide(p[i]);
  }
};

template <int rows, int vectors>
FC_INLINE void multiply_add(const Tile& t, Accumulators<rows, vectors>& acc) {
  constexpr int kWidth = F32::width, kLine = 64 / sizeof(float);
  // Vectors of B in registers, all that the accumulators and one of A leave free; the others are operands in memory.
  constexpr int kFree = F32::registers - rows * vectors - 1, kHeld = vectors < kFree ? vectors : kFree;
  static_assert(kHeld >= 1);
  const float* b = t.b;
  const float* prefetch = t.prefetch;
  // Rows of C to call in at each look.
  const std::int64_t looks = t.taps * (t.depth < kStride ? 1 : t.depth / kStride);
  const int share = looks >= rows ? 1 : rows / static_cast<int>(looks > 0 ? looks : 1) + 1;
  int row = 0;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    Rows<rows> a(t.a + tap * rows);
    for (std::int64_t left = t.depth; left > 0;) {
      // C and the residual are touched when the sums are done: their lines are called in now, some rows at a time,
      // since all at once they would take every fill buffer from A and B.
      if (row < rows)
        for (const int end = row + share < rows ? row + share : rows; row < end; ++row) {
          const std::int64_t at = t.at[row] + t.ahead;
          for (int n = 0; n < vectors * kWidth; n += kLine) __builtin_prefetch(t.c + at + n, 1);
          if (t.residual != nullptr)
            for (int n = 0; n < vectors * kWidth; n += kLine) __builtin_prefetch(t.residual + at + n);
        }
      std::int64_t k = row == rows || left < 2 * kStride ? left : kStride;
      left -= k;
      for (; k > 0; --k) {
        F32 bv[kHeld];
#pragma GCC unroll 4
        for (int v = 0; v < kHeld; ++v) bv[v] = load(b + v * kWidth);
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r) {
          const F32 av = a.get(r);
#pragma GCC unroll 4
          for (int v = 0; v < kHeld; ++v) acc.v[r][v] = fma(av, bv[v], acc.v[r][v]);
#pragma GCC unroll 4
          for (int v = kHeld; v < vectors; ++v) acc.v[r][v] = fma_from(av, b + v * kWidth, acc.v[r][v]);
        }
        // Few rows use each line of B a few times and outrun the hardware's prefetcher.
        if constexpr (rows <= 5)
          for (int v = 0; v < vectors * kWidth; v += kLine)
            _mm_prefetch(reinterpret_cast<const char*>(b + kAhead + v), _MM_HINT_T0);
        else
          _mm_prefetch(reinterpret_cast<const char*>(prefetch), _MM_HINT_T1);
        prefetch += kLine;
        b += vectors * kWidth;
        a.next(t.a_step);
      }
    }
  }
}

// Activations that are more than a clamp run over the stored tile, which is in L1: in registers each would cost its
// code once per tile size.
template <Activation kind>
void activate_stored(const Tile& t, int rows) {
  for (int r = 0; r < rows; ++r)
    for (std::int64_t n = 0; n < t.columns; n += F32::width) {
      float* c = t.c + t.at[r] + n;
      store(c, activate<kind>(load(c, t.columns - n), t.alpha), t.columns - n);
    }
}

void activate_stored(const Tile& t, int rows) {
  switch (t.activation) {
    case Activation::Linear:
    case Activation::Relu:
    case Activation::Relu6: return;
    case Activation::LeakyRelu: return activate_stored<Activation::LeakyRelu>(t, rows);
    case Activation::Elu: return activate_stored<Activation::Elu>(t, rows);
    case Activation::Sigmoid: return activate_stored<Activation::Sigmoid>(t, rows);
    case Activation::HardSigmoid: return activate_stored<Activation::HardSigmoid>(t, rows);
    case Activation::Tanh: return activate_stored<Activation::Tanh>(t, rows);
    case Activation::Silu: return activate_stored<Activation::Silu>(t, rows);
    case Activation::HardSwish: return activate_stored<Activation::HardSwish>(t, rows);
  }
}

// `whole`: all columns of the tile are there, and nothing needs a mask.
template <int rows, int vectors, bool whole>
FC_INLINE void compute(const Tile& t) {
  constexpr int kWidth = F32::width;
  const auto load_at = [&](const float* p, int v) {
    return whole || v + 1 < vectors ? load(p + v * kWidth) : load(p + v * kWidth, t.columns - v * kWidth);
  };
  Accumulators<rows, vectors> acc;
  if (t.accumulate) {
    each<rows, vectors>([&](int r, int v) { acc.v[r][v] = load_at(t.c + t.at[r], v); });
  } else if (t.bias != nullptr) {
    each<rows, vectors>([&](int r, int v) { acc.v[r][v] = r == 0 ? load_at(t.bias, v) : acc.v[0][v]; });
  } else {
    each<rows, vectors>([&](int r, int v) { acc.v[r][v] = zero(); });
  }
  multiply_add(t, acc);
  if (t.finish) {
    if (t.residual != nullptr)
      each<rows, vectors>([&](int r, int v) { acc.v[r][v] = acc.v[r][v] + load_at(t.residual + t.at[r], v); });
    // A NaN is the second operand and kept.
    if (t.activation == Activation::Relu || t.activation == Activation::Relu6)
      each<rows, vectors>([&](int r, int v) { acc.v[r][v] = max(zero(), acc.v[r][v]); });
    if (t.activation == Activation::Relu6)
      each<rows, vectors>([&](int r, int v) { acc.v[r][v] = min(set(6.0f), acc.v[r][v]); });
  }
  each<rows, vectors>([&](int r, int v) {
    float* c = t.c + t.at[r] + v * kWidth;
    whole || v + 1 < vectors ? store(c, acc.v[r][v]) : store(c, acc.v[r][v], t.columns - v * kWidth);
  });
  if (t.finish && t.activation > Activation::Relu6) activate_stored(t, rows);
}

template <int rows, int vectors>
void tile(const Tile& t) {
  t.columns == vectors* F32::width ? compute<rows, vectors, true>(t) : compute<rows, vectors, false>(t);
}

}  // namespace
}  // namespace fastcnn::gemm::FC_SIMD

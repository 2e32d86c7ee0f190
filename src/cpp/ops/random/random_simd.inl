// Computes   dropout, random_uniform, random_normal (the contract: random.h).
// Layout     any shape, as one run of elements; dropout's result may lie over its operand.
// Tile       AVX2: four registers of results, from two groups of counters: eight registers of state, two of
//            multipliers, two of the round's key, two of products. AVX-512: eight, from four groups (16 + 2 + 2 + 4).
// Why        ten rounds, each a chain of product, shift and exclusive or: independent groups fill the time that one
//            waits for its products. Words stay where products leave them until they are put in order at the end.
// Needs      nothing: the tail is a masked store.
// Accuracy   dropout and random_uniform as the reference; random_normal to a few roundings: the angle is taken from the
//            nearest quarter of a turn exactly, sine and cosine are Cephes' polynomials.
// Source     core/random.h; G. E. P. Box, M. E. Muller: A note on the generation of random normal deviates (1958).
#include "ops/random/random.h"
#include "simd/math.inl"
#include "simd/parallel_run.inl"
#include "simd/random.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr int kGroups = F32::registers / 8, kRegisters = 2 * kGroups;

// f(i, v, lanes) for every register of [0, n), v being what `make` gives for it from its words.
template <class Make, class F>
FC_INLINE void each_drawn(std::int64_t n, const RandomKey& key, const Make& make, const F& f) {
  constexpr std::int64_t kStep = kRegisters * F32::width, kTask = 16384;
  parallel_ranges(n, kTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += kStep) {
      U64 x[4][kGroups];
      philox(key, static_cast<std::uint32_t>(i / 4), x);
      F32 v[kRegisters];
      for (int g = 0; g < kGroups; ++g) make(x[0][g], x[1][g], x[2][g], x[3][g], v + 2 * g);
      if (i + kStep <= end) {
        for (int r = 0; r < kRegisters; ++r) f(i + r * F32::width, v[r], Whole{});
      } else {
        for (int r = 0; r < kRegisters && i + r * F32::width < end; ++r)
          f(i + r * F32::width, v[r], Part{end - i - r * F32::width});
      }
    }
  });
}

FC_INLINE void in_order(U64 x0, U64 x1, U64 x2, U64 x3, F32* v) {
  U64 a = join_low(x0, x1), b = join_low(x2, x3);
  interleave(&a, &b);
  v[0] = top_24_bits(a);
  v[1] = top_24_bits(b);
}

FC_INLINE void normal(U64 x0, U64 x1, U64 x2, U64 x3, F32* v) {
  const F32 scale = set(0x1p-24f);
  const F32 first = top_24_bits(join_low(x0, x2)), second = top_24_bits(join_low(x1, x3));
  const F32 radius = sqrt(set(-2.0f) * log((first + set(1.0f)) * scale));
  sin_cos_of_turn(second * scale, v + 1, v);
  v[0] = radius * v[0];
  v[1] = radius * v[1];
  interleave(v, v + 1);
}

}  // namespace

void dropout(const KernelArgs& args) {
  const auto& p = args.problem.as<DropoutParams>();
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  each_drawn(args.out[0].shape().size(), random_key(p.source, args.in[1]), in_order,
             [&](std::int64_t i, F32 bits, auto lanes) {
               store(y + i, select(set(p.threshold) <= bits, load(x + i, lanes) * set(p.scale), zero()), lanes);
             });
}

void random_uniform(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomUniformParams>();
  float* y = args.out[0].as<float>();
  each_drawn(p.shape.size(), random_key(p.source, args.in[0]), in_order, [&](std::int64_t i, F32 bits, auto lanes) {
    store(y + i, min(set(p.low) + set(p.range) * (bits * set(0x1p-24f)), set(p.last)), lanes);
  });
}

void random_normal(const KernelArgs& args) {
  const auto& p = args.problem.as<RandomNormalParams>();
  float* y = args.out[0].as<float>();
  each_drawn(p.shape.size(), random_key(p.source, args.in[0]), normal,
             [&](std::int64_t i, F32 v, auto lanes) { store(y + i, fma(set(p.stddev), v, set(p.mean)), lanes); });
}

}  // namespace fastcnn::FC_SIMD

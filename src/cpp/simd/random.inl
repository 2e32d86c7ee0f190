// Philox4x32-10 of core/random.h, many counters at once. Include after simd/random_avx2.h or simd/random_avx512.h,
// whose U64 is a register of 64-bit lanes:
//   counters(i)         i, i + 1, ... in the order that makes `interleave` put results in the elements' order
//   multiply_low(a, b)  the products of the lower halves; high_half(a): the upper halves, as lower ones
//   join_low(a, b)      lower halves of a, with those of b as upper halves
//   top_24_bits(a)      of each 32 bits the upper 24, as floats
//   interleave(a, b)    the lanes of both by turns, within each 128 bits, a getting the lower ones: lanes of the type
#pragma once

#include "core/random.h"

namespace fastcnn::FC_SIMD {

// The state is the lower halves of 64-bit lanes, since that is what a multiplication reads: what is in the upper ones
// does not matter. The four words of the counters first + g U64::width .. are left in x[.][g].
template <int groups>
FC_INLINE void philox(const RandomKey& key, std::uint32_t first, U64 (&x)[4][groups]) {
  const U64 m0 = set_u64(kPhiloxMultiplier0), m1 = set_u64(kPhiloxMultiplier1);
  for (int g = 0; g < groups; ++g) {
    x[0][g] = counters(first + static_cast<std::uint32_t>(g * U64::width));
    x[1][g] = set_u64(key.stream);
    x[2][g] = set_u64(key.step);
    x[3][g] = set_u64(key.step >> 32);
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const U64 round_key_0 = set_u64(k0), round_key_1 = set_u64(k1);
    for (int g = 0; g < groups; ++g) {
      const U64 a = multiply_low(x[0][g], m0), b = multiply_low(x[2][g], m1);
      x[0][g] = xor3(high_half(b), x[1][g], round_key_0);
      x[2][g] = xor3(high_half(a), x[3][g], round_key_1);
      x[1][g] = b;
      x[3][g] = a;
    }
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
}

}  // namespace fastcnn::FC_SIMD

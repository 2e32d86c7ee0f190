// Random numbers by counting: Philox4x32-10 turns a counter and a key into four words of 32 bits that look random. So
// what is drawn is a function of key and position alone, in any order and by any number of threads.
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011.
#pragma once

#include "core/base.h"

namespace fastcnn {

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
inline constexpr std::uint32_t kPhiloxWeyl0 = 0x9E3779B9u, kPhiloxWeyl1 = 0xBB67AE85u;  // added to the key each round

// Whose random numbers: those of one stream of a step of a sequence that begins with `seed`. The words of the elements
// 4 i .. 4 i + 3 have the counter (i, stream, low and high half of step).
struct RandomKey {
  std::uint64_t seed = 0, step = 0;
  std::uint32_t stream = 0;
};

FC_INLINE void philox(const RandomKey& key, std::uint32_t i, std::uint32_t (&words)[4]) {
  std::uint32_t x[4] = {i, key.stream, static_cast<std::uint32_t>(key.step),
                        static_cast<std::uint32_t>(key.step >> 32)};
  std::uint32_t k[2] = {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t a = std::uint64_t{kPhiloxMultiplier0} * x[0], b = std::uint64_t{kPhiloxMultiplier1} * x[2];
    x[0] = static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ k[0];
    x[2] = static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ k[1];
    x[1] = static_cast<std::uint32_t>(b);
    x[3] = static_cast<std::uint32_t>(a);
    k[0] += kPhiloxWeyl0, k[1] += kPhiloxWeyl1;
  }
  for (int i = 0; i < 4; ++i) words[i] = x[i];
}

}  // namespace fastcnn

// What the threads of a warp do together: shuffles and votes, which exchange values and order no memory accesses, and
// __syncwarp, which orders them.
#pragma once

#include <type_traits>

#include "execution.h"

namespace emulator {

enum class Shuffle { Index, Up, Down, Xor };
// 4 or 8 bytes from another lane; a lane that takes no part gives poison.
void shuffle(Shuffle kind, unsigned mask, const void* value, void* result, std::size_t bytes, int lane, int width,
             Site site);
unsigned ballot(unsigned mask, int predicate, Site site);
void warp_barrier(unsigned mask, Site site);

template <class T>
T shuffle(Shuffle kind, unsigned mask, T value, int lane, int width, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  T result;
  shuffle(kind, mask, &value, &result, sizeof(T), lane, width, site);
  return result;
}

}  // namespace emulator

#define EMULATOR_SHUFFLE(name, kind, operand)                                                                    \
  template <class T>                                                                                             \
  T name(unsigned mask, T value, operand, int width = 32, const char* file = __builtin_FILE(),                   \
         int line = __builtin_LINE()) {                                                                          \
    return emulator::shuffle(emulator::Shuffle::kind, mask, value, static_cast<int>(lane), width, {file, line}); \
  }
EMULATOR_SHUFFLE(__shfl_sync, Index, int lane)
EMULATOR_SHUFFLE(__shfl_up_sync, Up, unsigned lane)
EMULATOR_SHUFFLE(__shfl_down_sync, Down, unsigned lane)
EMULATOR_SHUFFLE(__shfl_xor_sync, Xor, int lane)
#undef EMULATOR_SHUFFLE

inline unsigned __ballot_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return emulator::ballot(mask, predicate, {file, line});
}
inline int __any_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return emulator::ballot(mask, predicate, {file, line}) != 0;
}
inline int __all_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return emulator::ballot(mask, !predicate, {file, line}) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulator::warp_barrier(mask, {file, line});
}

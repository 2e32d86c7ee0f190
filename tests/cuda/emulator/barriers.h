// Barriers of the block, and fences. Only these, __syncwarp and launches order the memory accesses of threads.
#pragma once

#include "execution.h"

namespace emulator {

enum class BarrierKind { Plain, Or, And, Count };
int block_barrier(BarrierKind kind, int predicate, Site site);
void fence();

}  // namespace emulator

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulator::block_barrier(emulator::BarrierKind::Plain, 0, {file, line});
}
inline int __syncthreads_or(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return emulator::block_barrier(emulator::BarrierKind::Or, predicate, {file, line});
}
inline int __syncthreads_and(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return emulator::block_barrier(emulator::BarrierKind::And, predicate, {file, line});
}
inline int __syncthreads_count(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return emulator::block_barrier(emulator::BarrierKind::Count, predicate, {file, line});
}

inline void __threadfence_block() { emulator::fence(); }
inline void __threadfence() { emulator::fence(); }
inline void __threadfence_system() { emulator::fence(); }
[[noreturn]] inline void __trap() { emulator::fail("calls __trap()"); }

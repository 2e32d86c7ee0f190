// Atomic functions on integers. They order nothing else, as in CUDA.
#pragma once

#include <type_traits>

namespace emulator {

template <class T>
concept AtomicInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

// Replaces *p by change(*p); returns what was there.
template <class T, class Change>
T atomic_update(T* p, Change change) {
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(p, &old, change(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}

}  // namespace emulator

template <emulator::AtomicInteger T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicSub(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_sub(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicAnd(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_and(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicOr(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_or(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicXor(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_xor(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return __atomic_exchange_n(p, value, __ATOMIC_RELAXED);
}
template <emulator::AtomicInteger T>
T atomicCAS(T* p, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  __atomic_compare_exchange_n(p, &compare, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return compare;
}
template <emulator::AtomicInteger T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  return emulator::atomic_update(p, [&](T old) { return old < value ? old : value; });
}
template <emulator::AtomicInteger T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  return emulator::atomic_update(p, [&](T old) { return old > value ? old : value; });
}
inline unsigned atomicInc(unsigned* p, unsigned limit) {
  return emulator::atomic_update(p, [&](unsigned old) { return old >= limit ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* p, unsigned limit) {
  return emulator::atomic_update(p, [&](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

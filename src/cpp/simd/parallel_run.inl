// A run of elements, shared out among threads. Include after simd/avx2.h or simd/avx512.h.
#pragma once

#include "core/thread_pool.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {

// body(i, lanes) for every register of [0, n), as each_register, in pieces that do not depend on the number of threads.
template <class Body>
FC_INLINE void parallel_registers(std::int64_t n, const Body& body) {
  constexpr std::int64_t kTask = 16384;
  parallel_ranges(n, kTask, [&](std::int64_t begin, std::int64_t end) {
    each_register(end - begin, [&](std::int64_t i, auto lanes) { body(begin + i, lanes); });
  });
}

}  // namespace fastcnn::FC_SIMD

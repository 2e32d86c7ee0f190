#include "plan/fma_peak.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/thread_pool.h"
#include "simd/fma_peak.h"

namespace fastcnn {

double measure_fma_gflops(Isa isa) {
#if FC_X86
  if (isa == Isa::Ref) return 0.0;
  const auto run = isa == Isa::Avx2 ? avx2::fma_rounds : avx512::fma_rounds;
  constexpr std::int64_t kRounds = 8192, kTasks = 64;  // a thread
  std::vector<double> seconds(static_cast<std::size_t>(kTasks * num_threads()));
  float once = 0.0f;
  const std::int64_t flops = 2 * kRounds * run(1, &once);
  // All threads at once, as they share power; of the tasks the fastest, as another process may have taken the core.
  parallel_for(static_cast<std::int64_t>(seconds.size()), [&](std::int64_t i) {
    float sink = 0.0f;
    const auto start = std::chrono::steady_clock::now();
    run(kRounds, &sink);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    seconds[static_cast<std::size_t>(i)] = spent.count();
  });
  return 1e-9 * static_cast<double>(flops * num_threads()) / *std::min_element(seconds.begin(), seconds.end());
#else
  static_cast<void>(isa);
  return 0.0;
#endif
}

}  // namespace fastcnn

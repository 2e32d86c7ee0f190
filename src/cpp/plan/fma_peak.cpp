#include "plan/fma_peak.h"

#include <chrono>

#include "core/thread_pool.h"
#include "simd/fma_peak.h"

namespace fastcnn {

double measure_fma_gflops(Isa isa) {
#if FC_X86
  if (isa == Isa::Ref) return 0.0;
  const auto run = isa == Isa::Avx2 ? avx2::fma_rounds : avx512::fma_rounds;
  constexpr std::int64_t kRounds = 2048;
  const std::int64_t tasks = 8 * num_threads();
  float warm = 0.0f;
  const std::int64_t per_round = run(kRounds, &warm);  // frequencies follow the width of the registers
  const auto start = std::chrono::steady_clock::now();
  parallel_for(tasks, [&](std::int64_t) {
    float sink = 0.0f;
    run(kRounds, &sink);
  });
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  return 2.0 * static_cast<double>(per_round * kRounds * tasks) / spent.count();
#else
  static_cast<void>(isa);
  return 0.0;
#endif
}

}  // namespace fastcnn

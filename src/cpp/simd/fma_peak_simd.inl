// Computes   chains of multiply-adds that never leave registers; `sink` gets a number that depends on all of them.
// Tile       kChains accumulators + 2 factors.
// Why        two units of 4 to 5 cycles of latency need 10 independent chains; 12 fit both instruction sets.
#include "simd/fma_peak.h"

namespace fastcnn::FC_SIMD {

std::int64_t fma_rounds(std::int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  F32 a[kChains];
  for (int i = 0; i < kChains; ++i) a[i] = set(static_cast<float>(i));
  const F32 half = set(0.5f), one = set(1.0f);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (int i = 0; i < kChains; ++i) a[i] = fma(a[i], half, one);
  F32 sum = a[0];
  for (int i = 1; i < kChains; ++i) sum = sum + a[i];
  *sink = reduce_add(sum);
  return kChains * F32::width;
}

}  // namespace fastcnn::FC_SIMD

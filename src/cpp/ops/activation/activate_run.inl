// The activations of an Epilogue other than relu over a run of results that is still in the first-level cache: a second
// pass there is cheaper than one copy of every kernel for each kind.
#pragma once

#include "core/epilogue.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

void activate_run(const Epilogue& e, float* y, std::int64_t n) {
  with_activation(e.activation, [&](auto k) {
    each_register(n, [&](std::int64_t i, auto lanes) {
      store(y + i, activate<decltype(k)::kind>(load(y + i, lanes), e.alpha), lanes);
    });
  });
}

}  // namespace
}  // namespace fastcnn::FC_SIMD

// The machine's float32 speed, to be measured beside a plan.
#pragma once

#include "core/cpu.h"

namespace fastcnn {

// GFLOP/s of multiply-adds in the widest registers up to `isa`, all threads of the pool together, from a run of about
// a millisecond; 0 where no kernel uses registers.
double measure_fma_gflops(Isa isa);

}  // namespace fastcnn

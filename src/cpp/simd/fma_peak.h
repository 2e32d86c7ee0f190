// The most multiply-adds an instruction set does: what the speed of kernels is measured against.
#pragma once

#include "core/base.h"

#if FC_X86
namespace fastcnn {

// Runs `rounds` rounds of independent multiply-adds in registers; returns their number per round.
namespace avx2 {
std::int64_t fma_rounds(std::int64_t rounds, float* sink);
}
namespace avx512 {
std::int64_t fma_rounds(std::int64_t rounds, float* sink);
}

}  // namespace fastcnn
#endif

// cast: the contract of storing numbers in another format: float32 -> bfloat16 rounds to the nearest, ties to even;
// bfloat16 -> float32 is exact. A NaN stays one.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct CastParams {
  DType result = DType::F32;
};

namespace ref {
void cast(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void cast(const KernelArgs& args);
}
namespace avx512 {
void cast(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

// where: y = condition != 0 ? a : b, element by element, the three operands broadcast together as NumPy does. The
// condition is float32, uint8 or bool; a NaN is not 0. What is not chosen takes no part: a NaN there is lost. a and b
// are of one dtype, whichever it is.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

namespace ref {
void where(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void where(const KernelArgs& args);
}
namespace avx512 {
void where(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

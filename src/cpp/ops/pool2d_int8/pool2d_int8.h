// max_pool2d_int8: the maximum pooling of ops/pool2d on pictures of codes. Codes are ordered as their numbers, so the
// largest code is that of the largest number. A window that lies in the padding altogether gives code 0.
#pragma once

#include "ops/pool2d/pool2d.h"

namespace fastcnn {

namespace ref {
void max_pool2d_int8(const KernelArgs& args);
}
#if FC_X86
namespace avx2 {
void max_pool2d_int8(const KernelArgs& args);
}
namespace avx512 {
void max_pool2d_int8(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

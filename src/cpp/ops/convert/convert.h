// convert: the contract of ops between kinds of numbers.
//
//   cast     the same numbers as another dtype. To integers: cut towards zero, what lies outside becomes the nearest
//            that the dtype holds, NaN becomes 0. To bool: whether it is not 0 (NaN is not). To bfloat16, in which
//            plans store pictures: the nearest, ties to even; a NaN stays one.
//   one_hot  integer labels (...) as float32 (..., depth): 1 where the last index is the label, else 0; a label outside
//            0 .. depth - 1 gives zeros
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct CastParams {
  DType dtype = DType::F32;
};

struct OneHotParams {
  std::int64_t depth = 1;
};

#if FC_X86
namespace avx2 {
void cast_storage(const KernelArgs& args);
}
namespace avx512 {
void cast_storage(const KernelArgs& args);
}
#endif

}  // namespace fastcnn

// transpose: y[i0, i1, ...] has the axes of x in the order `axes`: y's axis k is x's axis axes[k]. Any dtype, bit by
// bit.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct TransposeParams {
  std::int32_t axes[kMaxRank] = {};
};

#if FC_X86
// A block of 4-byte items (ops/strided_copy.h: TransposeFn).
namespace avx2 {
void transpose4(const unsigned char* from, std::int64_t from_pitch, unsigned char* to, std::int64_t to_pitch,
                std::int64_t rows, std::int64_t cols);
}
#endif

}  // namespace fastcnn

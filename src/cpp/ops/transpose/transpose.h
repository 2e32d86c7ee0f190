// transpose: y[i0, i1, ...] has the axes of x in the order `axes`: y's axis k is x's axis axes[k]. Any dtype, bit by
// bit.
#pragma once

#include "ops/problem.h"
#include "ops/strided_copy.h"

namespace fastcnn {

struct TransposeParams {
  std::int32_t axes[kMaxRank] = {};
};

FC_INLINE StridedCopy transpose_box(const TransposeParams& p, const Tensor& x, const Tensor& y) {
  StridedCopy box = StridedCopy::between(x, y);
  for (int i = 0; i < y.shape().rank; ++i)
    box.add_axis(y.shape()[i], box.item * x.shape().product(p.axes[i] + 1, x.shape().rank),
                 box.item * y.shape().product(i + 1, y.shape().rank));
  return box;
}

#if FC_X86
// A block of 4-byte items (ops/strided_copy.h: TransposeFn).
namespace avx2 {
void transpose4(const unsigned char* from, std::int64_t from_pitch, unsigned char* to, std::int64_t to_pitch,
                std::int64_t rows, std::int64_t cols);
}
#endif

}  // namespace fastcnn

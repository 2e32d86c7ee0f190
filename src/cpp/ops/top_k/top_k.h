// topk: the k largest (or smallest) elements along an axis, best first, and their indices (int64) in it.
//
// Corner cases: of equals the lower index comes first; NaN counts as larger than every number, as in torch. x is of any
// dtype but bool.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct TopKParams {
  std::int64_t axis = 0;  // counted from the front
  std::int64_t k = 1;
  std::int32_t largest = 1;
};

namespace ref {
void topk(const KernelArgs& args);
}

}  // namespace fastcnn

// concat: y = the operands one after the other along `axis`; all other sizes and the dtype are equal. Any dtype.
// An operand that the memory plan has put at its place in y already (the axes before `axis` have one element
// altogether, and the address is right) is not copied.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct ConcatParams {
  std::int32_t axis = 0;
};

}  // namespace fastcnn

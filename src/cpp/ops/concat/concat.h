// concat: y = the operands one after the other along `axis`; all other sizes and the dtype are equal. Any dtype.
// An operand that the memory plan has put at its place in y already (the axes before `axis` have one element
// altogether, and the address is right) is not copied.
#pragma once

#include "ops/problem.h"
#include "ops/strided_copy.h"

namespace fastcnn {

struct ConcatParams {
  std::int32_t axis = 0;
};

// Calls copy(box) for each operand that is not in its place.
template <class Copy>
inline void concat_boxes(const KernelArgs& args, const Copy& copy) {
  const int axis = args.problem.as<ConcatParams>().axis;
  const TensorType& y = args.out[0].type;
  const std::int64_t item = item_size(y.dtype), outer = y.shape.product(0, axis);
  const std::int64_t slab = item * y.shape.product(axis + 1, y.shape.rank), pitch = y.shape[axis] * slab;
  auto* to = args.out[0].as<unsigned char>();
  for (int k = 0; k < args.problem.num_inputs; ++k) {
    const std::int64_t run = args.in[k].shape()[axis] * slab;
    const auto* from = args.in[k].as<unsigned char>();
    const std::int64_t from_pitch = args.in[k].pitch != 0 ? item * args.in[k].pitch : run;
    const bool in_place = from == to && (outer == 1 || from_pitch == pitch);
    if (!in_place && run > 0) {
      StridedCopy box;
      box.from = from, box.to = to, box.item = run;
      box.add_axis(outer, from_pitch, pitch);
      copy(box);
    }
    to += run;
  }
}

}  // namespace fastcnn

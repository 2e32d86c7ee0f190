// binary: the contract of element-wise functions of two operands with NumPy's broadcasting.
//
//   add sub mul div maximum minimum   y = act(a op b), act being the Epilogue's activation (no bias, no residual)
//   prelu                             y = x < 0 ? alpha x : x; alpha broadcasts to x's shape
//   equal not_equal greater greater_equal less less_equal   y = 1 where a and b compare so, else 0
//   pow                               y = a^b
//   mod fmod                          what division of a by b leaves, with the sign of b (mod, Python's %) or of a
//                                     (fmod, C's), exact
//
// Corner cases, the same for every kernel: maximum and minimum give NaN where either operand is NaN; division by zero
// follows IEEE 754; a sum, difference, product or quotient is rounded once, then the activation is applied; NaN equals
// nothing and is neither greater nor less; pow and fmod are IEEE 754's, mod follows them: NaN for an infinite a or a b
// of 0, and b for a finite a of the other sign where b is infinite.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

struct BinaryParams {
  Epilogue epilogue;
};

// The shape that both broadcast to; throws Error(Shape) naming the op where there is none.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

// Broadcast operands as one loop nest over the result: axis 0 is the innermost. Axes of size 1 are gone and neighbours
// that all operands walk alike are one axis, so operands of equal shape are a single axis with steps 1, 1, a bias is
// (channels: 1, 1), (pixels: channels, 0), and a per-channel gate (N,1,1,C) has three axes.
template <int operands>
struct BroadcastNest {
  std::int32_t rank = 0;
  std::int64_t size[kMaxRank], step[operands][kMaxRank];  // steps in elements; 0 where the operand repeats itself
};

template <int operands>
FC_INLINE BroadcastNest<operands> broadcast_nest(const Shape* const (&shapes)[operands], const Shape& y) {
  BroadcastNest<operands> nest;
  std::int64_t steps[operands];
  for (int k = 0; k < operands; ++k) steps[k] = 1;
  for (std::int32_t i = 0; i < y.rank; ++i) {
    const std::int64_t size = y[y.rank - 1 - i];
    const std::int32_t last = nest.rank - 1;
    bool joins = last >= 0;
    for (int k = 0; k < operands; ++k) {
      const Shape& shape = *shapes[k];
      const std::int64_t own = i < shape.rank ? shape[shape.rank - 1 - i] : 1, walk = own == 1 ? 0 : steps[k];
      steps[k] *= own;
      if (size == 1) continue;
      nest.step[k][nest.rank] = walk;
      joins = joins && walk == nest.step[k][last] * nest.size[last];
    }
    if (size == 1) continue;
    if (joins)
      nest.size[last] *= size;
    else
      nest.size[nest.rank++] = size;
  }
  if (nest.rank == 0) {
    nest.size[0] = 1;
    for (int k = 0; k < operands; ++k) nest.step[k][0] = 0;
    nest.rank = 1;
  }
  return nest;
}

// The same of two operands.
struct Broadcast {
  std::int32_t rank = 0;
  std::int64_t size[kMaxRank], a[kMaxRank], b[kMaxRank];
};

FC_INLINE Broadcast broadcast(const Shape& a, const Shape& b, const Shape& y) {
  const BroadcastNest<2> both = broadcast_nest({&a, &b}, y);
  Broadcast nest;
  nest.rank = both.rank;
  for (std::int32_t i = 0; i < both.rank; ++i)
    nest.size[i] = both.size[i], nest.a[i] = both.step[0][i], nest.b[i] = both.step[1][i];
  return nest;
}

#define FC_BINARY_KERNELS                     \
  void add(const KernelArgs& args);           \
  void sub(const KernelArgs& args);           \
  void mul(const KernelArgs& args);           \
  void div(const KernelArgs& args);           \
  void maximum(const KernelArgs& args);       \
  void minimum(const KernelArgs& args);       \
  void prelu(const KernelArgs& args);         \
  void equal(const KernelArgs& args);         \
  void not_equal(const KernelArgs& args);     \
  void greater(const KernelArgs& args);       \
  void greater_equal(const KernelArgs& args); \
  void less(const KernelArgs& args);          \
  void less_equal(const KernelArgs& args);

namespace ref {
FC_BINARY_KERNELS
void pow(const KernelArgs& args);
void mod(const KernelArgs& args);
void fmod(const KernelArgs& args);
}  // namespace ref
#if FC_X86
namespace avx2 {
FC_BINARY_KERNELS
}
namespace avx512 {
FC_BINARY_KERNELS
}
#endif
#undef FC_BINARY_KERNELS

}  // namespace fastcnn

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

// Two broadcast operands as one loop nest over the result: axis 0 is the innermost. Axes of size 1 are gone and
// neighbours that both operands walk alike are one axis, so operands of equal shape are a single axis with steps 1, 1,
// a bias is (channels: 1, 1), (pixels: channels, 0), and a per-channel gate (N,1,1,C) has three axes.
struct Broadcast {
  std::int32_t rank = 0;
  std::int64_t size[kMaxRank], a[kMaxRank], b[kMaxRank];  // steps in elements; 0 where the operand repeats itself
};

FC_INLINE Broadcast broadcast(const Shape& a, const Shape& b, const Shape& y) {
  Broadcast nest;
  std::int64_t step_a = 1, step_b = 1;
  for (std::int32_t i = 0; i < y.rank; ++i) {
    const std::int64_t size = y[y.rank - 1 - i];
    const std::int64_t size_a = i < a.rank ? a[a.rank - 1 - i] : 1, size_b = i < b.rank ? b[b.rank - 1 - i] : 1;
    if (size != 1) {
      const std::int64_t walk_a = size_a == 1 ? 0 : step_a, walk_b = size_b == 1 ? 0 : step_b;
      const std::int32_t last = nest.rank - 1;
      if (last >= 0 && walk_a == nest.a[last] * nest.size[last] && walk_b == nest.b[last] * nest.size[last]) {
        nest.size[last] *= size;
      } else {
        nest.size[nest.rank] = size;
        nest.a[nest.rank] = walk_a;
        nest.b[nest.rank] = walk_b;
        ++nest.rank;
      }
    }
    step_a *= size_a;
    step_b *= size_b;
  }
  if (nest.rank == 0) {
    nest.size[0] = 1;
    nest.a[0] = nest.b[0] = 0;
    nest.rank = 1;
  }
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

// integer_binary: element-wise functions of two operands of one integer dtype (or bool), with NumPy's broadcasting.
//
//   add sub mul div mod fmod pow maximum minimum and or xor                  of the operands' dtype
//   equal not_equal greater greater_equal less less_equal                    bool
//
// Corner cases: what does not fit wraps around; div cuts towards 0; mod has the sign of the divisor (Python's %), fmod
// that of the dividend (C's); division by 0 gives 0, and so do its remainders; a negative power of 1 is 1, of -1 is 1
// or -1, of anything else 0; and, or, xor work on bits. bool has and, or, xor, maximum, minimum and the comparisons.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class IntegerKind : std::int32_t {
  Add,
  Sub,
  Mul,
  Div,
  Mod,
  Fmod,
  Pow,
  Maximum,
  Minimum,
  And,
  Or,
  Xor,
  Equal,
  NotEqual,
  Greater,
  GreaterEqual,
  Less,
  LessEqual
};
FC_INLINE constexpr bool compares(IntegerKind kind) { return kind >= IntegerKind::Equal; }

struct IntegerParams {
  IntegerKind kind = IntegerKind::Add;
};

namespace ref {
void integer_binary(const KernelArgs& args);
}

}  // namespace fastcnn

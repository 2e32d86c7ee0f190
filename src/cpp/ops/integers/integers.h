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

FC_INLINE std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return static_cast<std::int64_t>(result);
}

// In 64 bits, where the sums of unsigned numbers wrap around as they should; the caller keeps the low bits.
FC_INLINE std::int64_t evaluate(IntegerKind kind, std::int64_t a, std::int64_t b) {
  const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
  switch (kind) {
    case IntegerKind::Add: return static_cast<std::int64_t>(ua + ub);
    case IntegerKind::Sub: return static_cast<std::int64_t>(ua - ub);
    case IntegerKind::Mul: return static_cast<std::int64_t>(ua * ub);
    // The smallest number has no opposite: by -1, what leaves the dtype is computed without a division.
    case IntegerKind::Div: return b == 0 ? 0 : b == -1 ? static_cast<std::int64_t>(0 - ua) : a / b;
    case IntegerKind::Fmod: return b == 0 || b == -1 ? 0 : a % b;
    case IntegerKind::Mod: {
      if (b == 0 || b == -1) return 0;
      const std::int64_t left = a % b;
      return left != 0 && (left < 0) != (b < 0) ? left + b : left;
    }
    case IntegerKind::Pow: return integer_power(a, b);
    case IntegerKind::Maximum: return max_i64(a, b);
    case IntegerKind::Minimum: return min_i64(a, b);
    case IntegerKind::And: return a & b;
    case IntegerKind::Or: return a | b;
    case IntegerKind::Xor: return a ^ b;
    case IntegerKind::Equal: return a == b;
    case IntegerKind::NotEqual: return a != b;
    case IntegerKind::Greater: return a > b;
    case IntegerKind::GreaterEqual: return a >= b;
    case IntegerKind::Less: return a < b;
    case IntegerKind::LessEqual: return a <= b;
  }
  return 0;
}

namespace ref {
void integer_binary(const KernelArgs& args);
}

}  // namespace fastcnn

#include "ops/integers/integers.h"

#include <type_traits>

#include "ops/binary/binary.h"
#include "ops/dtype_switch.h"

namespace fastcnn::ref {
namespace {

constexpr std::int64_t kTask = 16384;  // elements

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return static_cast<std::int64_t>(result);
}

// In 64 bits, where the sums of unsigned numbers wrap around as they should; the caller keeps the low bits.
std::int64_t evaluate(IntegerKind kind, std::int64_t a, std::int64_t b) {
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
    case IntegerKind::Pow: return power(a, b);
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

// Rows of the innermost axis; the outer axes are taken apart for each.
template <class From, class To>
void each(const KernelArgs& args) {
  const IntegerKind kind = args.problem.as<IntegerParams>().kind;
  const Shape& y = args.out[0].shape();
  if (y.size() == 0) return;
  const Broadcast nest = broadcast(args.in[0].shape(), args.in[1].shape(), y);
  const auto *a = args.in[0].as<From>(), *b = args.in[1].as<From>();
  To* out = args.out[0].as<To>();
  const std::int64_t row_size = nest.size[0];
  parallel_ranges(y.size() / row_size, max_i64(1, kTask / row_size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::int64_t rest = row, at_a = 0, at_b = 0;
      for (std::int32_t axis = 1; axis < nest.rank; ++axis) {
        const std::int64_t i = rest % nest.size[axis];
        rest /= nest.size[axis];
        at_a += i * nest.a[axis];
        at_b += i * nest.b[axis];
      }
      for (std::int64_t i = 0; i < row_size; ++i)
        out[row * row_size + i] = static_cast<To>(evaluate(kind, static_cast<std::int64_t>(a[at_a + i * nest.a[0]]),
                                                           static_cast<std::int64_t>(b[at_b + i * nest.b[0]])));
    }
  });
}

}  // namespace

void integer_binary(const KernelArgs& args) {
  with_dtype(args.in[0].type.dtype, [&](auto kind) {
    using From = decltype(kind);
    if constexpr (!std::is_floating_point_v<From>) {
      if (args.out[0].type.dtype == DType::Bool)
        each<From, bool>(args);
      else
        each<From, From>(args);
    }
  });
}

}  // namespace fastcnn::ref

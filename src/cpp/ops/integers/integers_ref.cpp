#include "ops/integers/integers.h"

#include <type_traits>

#include "ops/binary/binary.h"
#include "ops/dtype_switch.h"

namespace fastcnn::ref {
namespace {

constexpr std::int64_t kTask = 16384;  // elements

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

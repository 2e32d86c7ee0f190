// A heap of the best k, the worst of them at its root, kept in the results themselves: n log k steps, no workspace.
#include "ops/top_k/top_k.h"

#include <type_traits>
#include <utility>

#include "ops/dtype_switch.h"

namespace fastcnn::ref {
namespace {

// The results along the axis.
template <class T>
struct Best {
  T* value;
  std::int64_t* index;
  std::int64_t step;
  bool largest;

  bool better(T a, std::int64_t at_a, T b, std::int64_t at_b) const {
    const bool nan_a = a != a, nan_b = b != b;
    if (nan_a != nan_b) return nan_a == largest;
    if (a == b || nan_a) return at_a < at_b;
    return (a > b) == largest;
  }
  bool better(std::int64_t i, std::int64_t j) const {
    return better(value[i * step], index[i * step], value[j * step], index[j * step]);
  }
  void swap(std::int64_t i, std::int64_t j) const {
    std::swap(value[i * step], value[j * step]);
    std::swap(index[i * step], index[j * step]);
  }
  void put(std::int64_t i, T v, std::int64_t at) const { value[i * step] = v, index[i * step] = at; }
  // Lets the element at `i` sink below those that are worse, among the first `count`.
  void sink(std::int64_t i, std::int64_t count) const {
    for (;;) {
      std::int64_t child = 2 * i + 1;
      if (child >= count) return;
      if (child + 1 < count && better(child, child + 1)) ++child;
      if (!better(i, child)) return;
      swap(i, child);
      i = child;
    }
  }
};

template <class T>
void search(const T* x, std::int64_t size, std::int64_t k, const Best<T>& best) {
  if (k == 0) return;
  const std::int64_t step = best.step;
  for (std::int64_t i = 0; i < k; ++i) best.put(i, x[i * step], i);
  for (std::int64_t i = k / 2 - 1; i >= 0; --i) best.sink(i, k);
  for (std::int64_t i = k; i < size; ++i)
    if (best.better(x[i * step], i, best.value[0], best.index[0])) {
      best.put(0, x[i * step], i);
      best.sink(0, k);
    }
  for (std::int64_t last = k - 1; last > 0; --last) {
    best.swap(0, last);
    best.sink(0, last);
  }
}

}  // namespace

void topk(const KernelArgs& args) {
  const auto& p = args.problem.as<TopKParams>();
  const Shape& x = args.in[0].shape();
  const int axis = static_cast<int>(p.axis);
  const std::int64_t outer = x.product(0, axis), size = x[axis], inner = x.product(axis + 1, x.rank);
  with_dtype(args.in[0].type.dtype, [&](auto kind) {
    using T = decltype(kind);
    if constexpr (!std::is_same_v<T, bool>) {
      parallel_ranges(outer * inner, max_i64(1, 4096 / max_i64(1, size)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t o = row / inner, i = row % inner, at = o * p.k * inner + i;
          search(args.in[0].as<T>() + o * size * inner + i, size, p.k,
                 Best<T>{args.out[0].as<T>() + at, args.out[1].as<std::int64_t>() + at, inner, p.largest != 0});
        }
      });
    }
  });
}

}  // namespace fastcnn::ref

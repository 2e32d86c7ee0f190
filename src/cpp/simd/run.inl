// Loops over a run of elements. Include after simd/avx2.h or simd/avx512.h.
#pragma once

#include "core/base.h"

namespace fastcnn::FC_SIMD {

// A whole register, or the first lanes of one: what load and store of a run's element i need to know.
struct Whole {};
struct Part {
  std::int64_t lanes;
};
template <class Item>  // float or Bf16
FC_INLINE F32 load(const Item* p, Whole) {
  return load(p);
}
template <class Item>
FC_INLINE F32 load(const Item* p, Part part) {
  return load(p, part.lanes);
}
template <class Item>
FC_INLINE void store(Item* p, F32 a, Whole) {
  store(p, a);
}
template <class Item>
FC_INLINE void store(Item* p, F32 a, Part part) {
  store(p, a, part.lanes);
}

// body(i, Whole{}) for every whole register of [0, n), then body(i, Part{n - i}) for the rest.
template <class Body>
FC_INLINE void each_register(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + F32::width <= n; i += F32::width) body(i, Whole{});
  if (i < n) body(i, Part{n - i});
}

}  // namespace fastcnn::FC_SIMD

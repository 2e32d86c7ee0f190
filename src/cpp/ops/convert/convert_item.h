// What cast does to one number (the contract: convert.h). Not for ISA files.
#pragma once

#include <limits>
#include <type_traits>

#include "core/bf16.h"

namespace fastcnn {

// As constants: device code cannot call the functions of the standard library.
template <class T>
struct Limits {
  static constexpr T least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
};

template <class To, class From>
FC_INLINE To convert(From x) {
  if constexpr (std::is_same_v<From, Bf16>) {
    return convert<To>(to_float(x));
  } else if constexpr (std::is_same_v<To, Bf16>) {
    return to_bf16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_floating_point_v<From>) {
    // The largest integer may round up to a float outside: compare with the power of two beyond it.
    constexpr From kEnd = static_cast<From>(Limits<To>::most / 2 + 1) * From(2);
    if (x != x) return 0;
    if (x >= kEnd) return Limits<To>::most;
    if (x <= static_cast<From>(Limits<To>::least)) return Limits<To>::least;
    return static_cast<To>(x);
  } else {
    const auto wide = static_cast<std::int64_t>(x);
    if (wide < static_cast<std::int64_t>(Limits<To>::least)) return Limits<To>::least;
    if (wide > static_cast<std::int64_t>(Limits<To>::most)) return Limits<To>::most;
    return static_cast<To>(wide);
  }
}

}  // namespace fastcnn

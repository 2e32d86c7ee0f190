// What surrounds memory, so that writing past its end shows without ASan too.
#pragma once

#include <cstddef>

namespace emulator {

inline constexpr std::size_t kZone = 256;
inline constexpr unsigned char kCanary = 0xc5;

}  // namespace emulator

// The engine of the rooms that only move data, on the device: the boxes of ops/strided_copy.h. Host code.
#pragma once

#include "core/launch.h"
#include "ops/strided_copy.h"

namespace fastcnn::cuda {

// Launches the copy of `box`, whose addresses are the device's; `name` is the row's. The two memories must not overlap.
void strided_copy(const char* name, const KernelArgs& args, const StridedCopy& box);

// The bytes, a power of two up to 16, in which memory at these addresses and distances may be copied: it divides all.
template <class... Numbers>
std::int64_t widest_item(const void* from, const void* to, Numbers... numbers) {
  std::uint64_t bits = 16 | reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
  ((bits |= static_cast<std::uint64_t>(numbers)), ...);
  return static_cast<std::int64_t>(bits & (~bits + 1));
}

// Calls body(T{}) with a type of `bytes`: 1, 2, 4, 8 or 16, aligned to that.
template <class Body>
void with_item(std::int64_t bytes, const Body& body) {
  switch (bytes) {
    case 1: return body(static_cast<unsigned char>(0));
    case 2: return body(static_cast<unsigned short>(0));
    case 4: return body(0u);
    case 8: return body(uint2{});
    default: return body(uint4{});
  }
}

}  // namespace fastcnn::cuda

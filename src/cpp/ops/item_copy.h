// Copies of small items whose size is known only at run time: a switch outside the loop gives the common sizes an
// inlined copy. Not for ISA files.
#pragma once

#include <cstring>

#include "core/base.h"

namespace fastcnn {

template <std::int64_t bytes>
struct FixedSize {
  constexpr operator std::int64_t() const { return bytes; }
};

// Calls body(FixedSize<item>()) for the sizes worth it and body(item) for all others.
template <class Body>
void with_item_size(std::int64_t item, const Body& body) {
  switch (item) {
    case 1: return body(FixedSize<1>());
    case 2: return body(FixedSize<2>());
    case 3: return body(FixedSize<3>());
    case 4: return body(FixedSize<4>());
    case 8: return body(FixedSize<8>());
    case 12: return body(FixedSize<12>());
    case 16: return body(FixedSize<16>());
    case 32: return body(FixedSize<32>());
    case 64: return body(FixedSize<64>());
    default: return body(item);
  }
}

template <class Size>
inline void copy_item(unsigned char* to, const unsigned char* from, Size bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(static_cast<std::int64_t>(bytes)));
}

}  // namespace fastcnn

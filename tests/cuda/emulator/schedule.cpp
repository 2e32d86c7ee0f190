#include "schedule.h"

#include <cstdlib>
#include <cstring>
#include <numeric>

namespace emulator {

Schedule Schedule::from_environment(std::uint64_t launches) {
  Schedule s;
  const char* const text = std::getenv("FASTCNN_EMULATOR_SCHEDULE");
  if (!text) return s;
  if (std::strcmp(text, "reverse") == 0) s.kind_ = Kind::Reverse;
  if (std::strncmp(text, "random", 6) == 0) {
    s.kind_ = Kind::Random;
    const std::uint64_t seed = text[6] == ':' ? std::strtoull(text + 7, nullptr, 10) : 1;
    s.state_ = (seed + 1) * 0x9e3779b97f4a7c15u + launches;
  }
  return s;
}

std::uint64_t Schedule::below(std::uint64_t bound) {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;  // splitmix64
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % bound;
}

// Randomly: a walk with a stride that has no factor in common with the number of blocks.
void Schedule::begin(std::uint64_t blocks) {
  blocks_ = blocks;
  if (!random()) return;
  first_ = below(blocks);
  do stride_ = 1 + below(blocks);
  while (std::gcd(stride_, blocks) != 1);
}

std::uint64_t Schedule::block(std::uint64_t step) const {
  if (reverse()) return blocks_ - 1 - step;
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(step) * stride_ + first_) % blocks_);
}

}  // namespace emulator

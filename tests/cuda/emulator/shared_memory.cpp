#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <span>

#include "block.h"
#include "red_zone.h"
#include "sanitizers.h"

namespace emulator {
namespace {

constexpr std::size_t kArena = 1 << 20;

bool whole(const char* begin, const char* end) {
  unsigned different = 0;
  for (const char* p = begin; p < end; ++p) different |= static_cast<unsigned char>(*p) ^ kCanary;
  return different == 0;
}

}  // namespace

SharedMemory::SharedMemory() {
  void* const memory =
      mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  arena_ = static_cast<char*>(memory);
  poison(arena_, kArena);
}

void SharedMemory::begin(std::size_t dynamic_bytes) {
  for (const SharedVariable& v : std::span(variables_, count_)) poison(v.address, v.bytes);  // a block that failed
  count_ = 0;
  static_bytes_ = 0;
  end_ = arena_ + kZone;
  hidden_fill(arena_, kCanary, kZone);
  dynamic_ = place(nullptr, {}, dynamic_bytes, 16);
}

// Aligned to what was asked, but at least to 16 as FC_SHARED promises, and not by chance to more.
char* SharedMemory::place(const void* key, Site site, std::size_t bytes, std::size_t alignment) {
  if (alignment < 16) alignment = 16;
  const auto from = reinterpret_cast<std::uintptr_t>(end_);
  const std::uintptr_t at = ((from - alignment + 2 * alignment - 1) & ~(2 * alignment - 1)) + alignment;
  auto* const address = reinterpret_cast<char*>(at);
  if (count_ == kMaxVariables || address + bytes + kZone > arena_ + kArena) return nullptr;
  hidden_fill(end_, kCanary, at - from);
  hidden_fill(address, 0xff, bytes);
  hidden_fill(address + bytes, kCanary, kZone);
  end_ = address + bytes + kZone;
  unpoison(address, bytes);
  variables_[count_++] = {key, site, address, bytes};
  return address;
}

void* SharedMemory::variable(const void* key, Site site, std::size_t bytes, std::size_t alignment) {
  for (const SharedVariable& v : std::span(variables_, count_))
    if (v.key == key && v.site.line == site.line && v.site.file == site.file) return v.address;
  static_bytes_ += bytes;
  return place(key, site, bytes, alignment);
}

bool SharedMemory::contains(const void* address, std::size_t bytes) const {
  const auto* const p = static_cast<const char*>(address);
  for (const SharedVariable& v : std::span(variables_, count_))
    if (p >= v.address && p + bytes <= v.address + v.bytes) return true;
  return false;
}

bool SharedMemory::end() {
  bool good = true;
  const char* zone = arena_;
  for (const SharedVariable& v : std::span(variables_, count_)) {
    if (!under_asan()) good = whole(zone, v.address) && good;
    zone = v.address + v.bytes;
    poison(v.address, v.bytes);
  }
  if (!under_asan()) good = whole(zone, end_) && good;
  count_ = 0;
  return good;
}

}  // namespace emulator

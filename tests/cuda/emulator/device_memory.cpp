#include "device_memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

#include "red_zone.h"
#include "sanitizers.h"

namespace emulator {
namespace {

constexpr std::size_t kAlignment = 256;  // CUDA's
static_assert(kAlignment == kZone);      // so that what is behind a zone is aligned

// By address. Never destroyed: memory may be freed while the process ends.
std::map<std::uintptr_t, Allocation>& table() {
  static auto* const allocations = new std::map<std::uintptr_t, Allocation>;
  return *allocations;
}

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

bool mend(char* begin, char* end) {
  bool whole = true;
  for (char* p = begin; p != end; ++p) {
    whole = whole && static_cast<unsigned char>(*p) == kCanary;
    *p = static_cast<char>(kCanary);
  }
  return whole;
}

// In front, and behind up to the end of what malloc gave.
bool mend_zones(const Allocation& a) {
  if (a.raw == nullptr || under_asan()) return true;
  auto* const raw = static_cast<char*>(a.raw);
  const bool front = mend(raw, a.address);
  const bool behind = mend(a.address + a.bytes, raw + kZone + (a.bytes + 2 * kZone - 1) / kZone * kZone);
  return front && behind;
}

}  // namespace

void* allocate(Space space, std::size_t bytes, int device) {
  // ASan's own malloc surrounds exact sizes with zones, and its reports tell who allocated.
  const std::size_t with_zones = kZone + (bytes + 2 * kZone - 1) / kZone * kZone;
  void* raw = nullptr;
  if (posix_memalign(&raw, kAlignment, under_asan() ? bytes : with_zones) != 0) return nullptr;
  const Allocation a{static_cast<char*>(raw) + (under_asan() ? 0 : kZone), bytes, space, device, raw};
  std::memset(a.address, 0xff, bytes);
  mend_zones(a);
  table().emplace(number(a.address), a);
  return a.address;
}

bool deallocate(Space space, void* address) {
  const auto found = table().find(number(address));
  if (found == table().end() || found->second.space != space || !found->second.raw) return false;
  std::free(found->second.raw);
  table().erase(found);
  return true;
}

const Allocation* find_allocation(const void* address) {
  auto next = table().upper_bound(number(address));
  if (next == table().begin()) return nullptr;
  const Allocation& a = std::prev(next)->second;
  return number(address) < number(a.address) + a.bytes ? &a : nullptr;
}

std::size_t allocated_bytes(int device) {
  std::size_t sum = 0;
  for (const auto& [_, a] : table())
    if (a.space == Space::Device && a.device == device) sum += a.bytes;
  return sum;
}

std::string check_red_zones() {
  std::string found;
  for (const auto& [_, a] : table()) {
    if (mend_zones(a) || !found.empty()) continue;
    found = "wrote outside an allocation of " + std::to_string(a.bytes) +
            (a.space == Space::Device ? " bytes of device memory" : " bytes of pinned memory");
  }
  return found;
}

void note_pinned(void* address, std::size_t bytes) {
  table().emplace(number(address), Allocation{static_cast<char*>(address), bytes, Space::Host, -1, nullptr});
}

bool forget_pinned(void* address) {
  const auto found = table().find(number(address));
  if (found == table().end() || found->second.raw) return false;
  table().erase(found);
  return true;
}

}  // namespace emulator

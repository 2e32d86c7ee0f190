// cp.async: what is copied arrives when it is waited for. A race with it shows, because both its start and its arrival
// are writes that sanitizers see.
#include <cstdint>
#include <cstring>

#include "device_memory.h"
#include "engine.h"

namespace emulator {

void copy_async(void* shared, const void* global, int bytes, int valid) {
  Engine& e = engine();
  const auto misaligned = [bytes](const void* p) {
    return reinterpret_cast<std::uintptr_t>(p) % static_cast<unsigned>(bytes) != 0;
  };
  if (valid < 0 || valid > bytes) fail("makes a cp.async that reads more than it writes");
  if (misaligned(shared) || (valid > 0 && misaligned(global)))
    fail("makes a cp.async between addresses that are not aligned to its size");
  if (!e.block->shared.contains(shared, static_cast<std::size_t>(bytes)))
    fail("makes a cp.async to outside shared memory");
  if (valid > 0) {
    const Allocation* const from = find_allocation(global);
    if (!from || from->space != Space::Device || static_cast<const char*>(global) + valid > from->address + from->bytes)
      fail("makes a cp.async from outside device memory");
  }
  std::memset(shared, 0xff, static_cast<std::size_t>(bytes));  // a write that TSan sees
  e.current->copies.push_back({shared, global, bytes, valid, e.current->groups});
}

void copy_async_commit() { ++engine().current->groups; }

void copy_async_wait(int pending) {
  Thread& me = *engine().current;
  const auto arrives = [&](const Copy& copy) {
    if (copy.group >= me.groups - pending) return false;
    std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.valid));
    std::memset(static_cast<char*>(copy.to) + copy.valid, 0, static_cast<std::size_t>(copy.bytes - copy.valid));
    return true;
  };
  std::erase_if(me.copies, arrives);
}

}  // namespace emulator

// Memory that the runtime API hands out. Nobody but this table knows whether an address is a device's or the host's:
// in this process all of it is ordinary memory. Callers hold the lock of streams.h.
#pragma once

#include <cstddef>
#include <string>

namespace emulator {

enum class Space { Device, Host };

struct Allocation {
  char* address;
  std::size_t bytes;
  Space space;
  int device;
  void* raw;  // what malloc gave
};

// Exactly `bytes` between two red zones, filled with 0xff: each float a NaN. nullptr: no memory.
void* allocate(Space space, std::size_t bytes, int device);
bool deallocate(Space space, void* address);  // false: not the start of an allocation there
const Allocation* find_allocation(const void* address);
std::size_t allocated_bytes(int device);

// Looks at all red zones and mends them. Returns what was written over, or nothing. ASan needs no such look.
std::string check_red_zones();

// Pinned memory that the caller owns.
void note_pinned(void* address, std::size_t bytes);
bool forget_pinned(void* address);

}  // namespace emulator

// Between the runtime API and the engine that executes kernels.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "vector_types.h"

namespace emulator {

struct Launch {
  const char* name;
  dim3 grid, block;
  std::size_t shared_bytes;
  std::function<void()> body;
};

// Executes all blocks. Returns what went wrong, or nothing. The caller holds the lock of streams.h.
std::string execute(const Launch& launch);

}  // namespace emulator

// What the sources of src/cuda ask of the emulator beyond CUDA's own names, and how a kernel is launched.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "runtime_types.h"
#include "vector_types.h"

// Set at every switch to a thread of a kernel.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace emulator {

// kernel<<<grid, block, shared_bytes, stream>>>(...), where `body` calls the kernel with its operands.
cudaError_t launch(const char* name, dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   std::function<void()> body);

// What went wrong the last time that a call failed, in words; empty if nothing did.
std::string last_message();

// Where in the sources a thread waits.
struct Site {
  const char* file;
  int line;
};

// Memory of the block in execution: `key` tells its variables apart.
void* static_shared_bytes(const void* key, std::size_t bytes, std::size_t alignment, Site site);
void* dynamic_shared();

// A variable of static shared memory. `Place` tells the instances of a function template apart.
template <class T, class Place = void*>
T& static_shared(const char* file, int line, Place = {}) {
  static constexpr char key = 0;
  return *static_cast<T*>(static_shared_bytes(&key, sizeof(T), alignof(T), {file, line}));
}

// cp.async: `to` holds poison from now on and the data after the wait that covers the group of this copy.
void copy_async(void* shared, const void* global, int bytes, int valid);
void copy_async_commit();
void copy_async_wait(int pending);

// All 32 lanes deposit `in`; one calls `run`, which gets those of the lanes in order and writes what each will get.
using WarpFunction = void (*)(void* context, const void* all, void* results);
void warp_collective_bytes(const void* in, std::size_t in_bytes, void* out, std::size_t out_bytes, WarpFunction run,
                           void* context, Site site);

template <class In, class Out>
Out warp_collective(const In& mine, void (*compute)(const In (&all)[32], Out (&results)[32]),
                    const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  struct Context {
    decltype(compute) function;
  } context{compute};
  Out out;
  warp_collective_bytes(&mine, sizeof(In), &out, sizeof(Out),
                        [](void* at, const void* all, void* results) {
                          (*static_cast<Context*>(at)->function)(*static_cast<const In(*)[32]>(all),
                                                                 *static_cast<Out(*)[32]>(results));
                        },
                        &context, {file, line});
  return out;
}

// An error of the thread in execution: its kernel ends, and the launch fails with this text.
[[noreturn]] void fail(const char* message);

}  // namespace emulator

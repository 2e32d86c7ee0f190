// Launches, with their errors as exceptions that name the kernel and its operands. Host code.
#pragma once

#include "core/cuda.h"
#include "core/error.h"
#include "ops/problem.h"

namespace fastcnn::cuda {

// Throws Error(Internal) with CUDA's words for `status`; `what` is what was asked for.
void check(cudaError_t status, const char* what);

// The same for the launch of a row of a kernel table, naming its operands.
void check_launch(cudaError_t status, const char* kernel, const KernelArgs& args);

inline cudaStream_t stream_of(const KernelArgs& args) { return static_cast<cudaStream_t>(args.stream); }

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;  // dynamic
};

// kernel<<<...>>>(operands...) on the stream of `args`. `name` is the row's.
template <class... Parameters, class... Operands>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, const KernelArgs& args,
            const Operands&... operands) {
#if defined(__CUDACC__)
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  if (grid.shared_bytes > kWithoutAsking)
    check_launch(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(grid.shared_bytes)),
                 name, args);
  kernel<<<grid.blocks, grid.threads, grid.shared_bytes, stream_of(args)>>>(static_cast<Parameters>(operands)...);
  check_launch(cudaGetLastError(), name, args);
#else
  check_launch(emulator::launch(name, grid.blocks, grid.threads, grid.shared_bytes, stream_of(args),
                                [=] { kernel(static_cast<Parameters>(operands)...); }),
               name, args);
#endif
}

// What the device in use offers, read once for each device.
struct Capability {
  int major = 0, minor = 0;
  int multiprocessors = 0;
  std::size_t shared_bytes_per_block = 0;  // that a launch may ask for
  bool at_least(int wanted_major, int wanted_minor = 0) const {
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
  }
};
const Capability& capability();

}  // namespace fastcnn::cuda

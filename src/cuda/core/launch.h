// Launches, with their errors as exceptions that name the kernel and its operands. Host code.
#pragma once

#include "core/cuda.h"
#include "core/status.h"

namespace fastcnn::cuda {

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

}  // namespace fastcnn::cuda

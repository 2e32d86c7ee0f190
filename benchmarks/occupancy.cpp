// Reads lines "major minor threads registers shared dynamic" and answers each with the blocks of such a kernel that fit a
// multiprocessor, by NVIDIA's own calculation. The limits are those of the CUDA C++ programming guide, table "Technical
// specifications per compute capability".
#include <cuda_occupancy.h>

#include <cstdio>

namespace {

struct Limits {
  int capability, threads, shared_kb;  // of a multiprocessor
};
constexpr Limits kLimits[] = {{75, 1024, 64},  {80, 2048, 164},  {86, 1536, 100}, {89, 1536, 100},
                              {90, 2048, 228}, {100, 2048, 228}, {120, 1536, 100}};

}  // namespace

int main() {
  int major, minor, threads, registers, shared, dynamic;
  while (std::scanf("%d %d %d %d %d %d", &major, &minor, &threads, &registers, &shared, &dynamic) == 6) {
    cudaOccDeviceProp device;
    device.computeMajor = major, device.computeMinor = minor;
    device.maxThreadsPerBlock = 1024, device.warpSize = 32, device.numSms = 1;
    device.regsPerBlock = device.regsPerMultiprocessor = 65536;
    device.sharedMemPerBlock = 48 * 1024;
    device.reservedSharedMemPerBlock = major >= 8 ? 1024 : 0;
    for (const Limits& limits : kLimits)
      if (limits.capability == major * 10 + minor) {
        device.maxThreadsPerMultiprocessor = limits.threads;
        device.sharedMemPerMultiprocessor = limits.shared_kb * 1024;
        device.sharedMemPerBlockOptin = limits.shared_kb * 1024 - device.reservedSharedMemPerBlock;
      }
    cudaOccFuncAttributes kernel;
    kernel.maxThreadsPerBlock = threads, kernel.numRegs = registers, kernel.sharedSizeBytes = shared;
    kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
    kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    kernel.maxDynamicSharedSizeBytes = dynamic;
    kernel.numBlockBarriers = 1;
    const cudaOccDeviceState state;
    cudaOccResult result{};
    const cudaOccError status =
        cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, dynamic);
    std::printf("%d %d\n", status == CUDA_OCC_SUCCESS ? result.activeBlocksPerMultiprocessor : -1,
                device.maxThreadsPerMultiprocessor);
  }
}

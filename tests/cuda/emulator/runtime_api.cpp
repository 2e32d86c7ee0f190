// Devices, errors and memory of the runtime API; streams.cpp has the rest.
#include "runtime_api.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "device.h"
#include "device_memory.h"
#include "streams.h"

using namespace emulator;

// ---- Devices

namespace emulator {

const DeviceModel& device_model() {
  static const DeviceModel model = [] {
    DeviceModel m{1, 9, 0, 48 << 10, 0, 0, std::size_t{8} << 30};
    if (const char* text = std::getenv("FASTCNN_EMULATOR_DEVICES")) m.devices = std::atoi(text);
    if (const char* text = std::getenv("FASTCNN_EMULATOR_CAPABILITY")) std::sscanf(text, "%d.%d", &m.major, &m.minor);
    if (const char* text = std::getenv("FASTCNN_EMULATOR_MEMORY")) m.memory = std::strtoull(text, nullptr, 10);
    const int capability = 10 * m.major + m.minor;
    int kilobytes = 227;  // 9.0, 10.0
    if (capability < 80) kilobytes = 64;
    if (capability == 80 || capability == 87) kilobytes = 163;
    if (capability == 86 || capability == 89 || capability >= 120) kilobytes = 99;
    m.shared_per_block_optin = static_cast<std::size_t>(kilobytes) << 10;
    m.shared_per_multiprocessor = m.shared_per_block_optin + (capability < 80 ? 0 : 1 << 10);
    return m;
  }();
  return model;
}

}  // namespace emulator

namespace {

constexpr int kMultiprocessors = 4;

bool is_device(int device) { return device >= 0 && device < device_model().devices; }

cudaError_t bad_device(int device) { return failed(cudaErrorInvalidDevice, "no device " + std::to_string(device)); }

}  // namespace

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_model().devices;
  return *count > 0 ? cudaSuccess : failed(cudaErrorNoDevice, "FASTCNN_EMULATOR_DEVICES is 0");
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (!is_device(device)) return bad_device(device);
  const DeviceModel& m = device_model();
  *p = {};
  std::snprintf(p->name, sizeof p->name, "CUDA emulated on the CPU");
  p->totalGlobalMem = m.memory;
  p->sharedMemPerBlock = m.shared_per_block;
  p->sharedMemPerBlockOptin = m.shared_per_block_optin;
  p->sharedMemPerMultiprocessor = m.shared_per_multiprocessor;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  p->warpSize = 32;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxThreadsPerMultiProcessor = 1024;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->major = m.major;
  p->minor = m.minor;
  p->multiProcessorCount = kMultiprocessors;
  p->l2CacheSize = 4 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t error = cudaGetDeviceProperties(&p, device)) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(p.sharedMemPerBlock); return cudaSuccess;
    case cudaDevAttrWarpSize: *value = p.warpSize; return cudaSuccess;
    case cudaDevAttrMaxRegistersPerBlock: *value = p.regsPerBlock; return cudaSuccess;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; return cudaSuccess;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(p.sharedMemPerMultiprocessor);
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(p.sharedMemPerBlockOptin);
      return cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported: *value = 1; return cudaSuccess;
  }
  return failed(cudaErrorInvalidValue, "an attribute of devices that the emulator does not know");
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  Guard guard(lock());
  *total = device_model().memory;
  const std::size_t used = allocated_bytes(current_device());
  *free = used < *total ? *total - used : 0;
  return cudaSuccess;
}

// ---- Errors

namespace {

struct ErrorText {
  cudaError_t error;
  const char *name, *text;
};
constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched", "capture was not initiated in this stream"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  for (const ErrorText& e : kErrors)
    if (e.error == error) return e.name;
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) {
  for (const ErrorText& e : kErrors)
    if (e.error == error) return e.text;
  return "unrecognized error code";
}

// ---- Memory

namespace {

cudaError_t allocate_into(void** address, Space space, std::size_t bytes, const char* function) {
  Guard guard(lock());
  *address = nullptr;
  if (device_model().devices == 0) return failed(cudaErrorNoDevice, function);
  if (capturing()) return failed(cudaErrorStreamCaptureUnsupported, std::string(function) + " while a stream captures");
  if (bytes == 0) return cudaSuccess;
  const bool fits = space == Space::Host || allocated_bytes(current_device()) + bytes <= device_model().memory;
  *address = fits ? allocate(space, bytes, current_device()) : nullptr;
  if (*address) return cudaSuccess;
  return failed(cudaErrorMemoryAllocation, std::string(function) + " of " + std::to_string(bytes) + " bytes");
}

cudaError_t free_from(void* address, Space space, const char* function) {
  Guard guard(lock());
  if (!address) return cudaSuccess;
  if (capturing()) return failed(cudaErrorStreamCaptureUnsupported, std::string(function) + " while a stream captures");
  const cudaError_t error = drain_device(current_device());
  if (!deallocate(space, address))
    return failed(cudaErrorInvalidValue, std::string(function) + " of what was not allocated that way");
  return error;
}

// Whether all bytes are of one allocation on a device; `wrong` tells if only some are.
bool on_device(const void* address, std::size_t bytes, bool& wrong) {
  const Allocation* const a = find_allocation(address);
  if (!a || a->space != Space::Device) return false;
  if (static_cast<const char*>(address) + bytes > a->address + a->bytes) wrong = true;
  return true;
}

bool pinned(const void* address) {
  const Allocation* const a = find_allocation(address);
  return a && a->space == Space::Host;
}

cudaError_t check_copy(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  bool wrong = false;
  const bool to_device = on_device(to, bytes, wrong), from_device = on_device(from, bytes, wrong);
  if (wrong) return failed(cudaErrorInvalidValue, "a copy beyond the end of an allocation on the device");
  const bool fits = kind == cudaMemcpyDefault ||
                    (to_device == (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) &&
                     from_device == (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice));
  if (fits) return cudaSuccess;
  return failed(cudaErrorInvalidValue, std::string("a copy from ") + (from_device ? "device" : "host") + " to " +
                                           (to_device ? "device" : "host") + " memory under another name");
}

}  // namespace

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  return allocate_into(address, Space::Device, bytes, "cudaMalloc");
}
cudaError_t cudaFree(void* address) { return free_from(address, Space::Device, "cudaFree"); }

cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t) {
  return allocate_into(address, Space::Device, bytes, "cudaMallocAsync");
}
cudaError_t cudaFreeAsync(void* address, cudaStream_t stream) {
  Guard guard(lock());
  return submit(stream, [address] {
    if (!address || deallocate(Space::Device, address)) return cudaSuccess;
    return failed(cudaErrorInvalidValue, "cudaFreeAsync of what is not on the device");
  });
}

cudaError_t cudaMallocHost(void** address, std::size_t bytes) {
  return allocate_into(address, Space::Host, bytes, "cudaMallocHost");
}
cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned) { return cudaMallocHost(address, bytes); }
cudaError_t cudaFreeHost(void* address) { return free_from(address, Space::Host, "cudaFreeHost"); }

cudaError_t cudaHostRegister(void* address, std::size_t bytes, unsigned) {
  Guard guard(lock());
  if (!address || bytes == 0 || find_allocation(address)) return failed(cudaErrorInvalidValue, "cudaHostRegister");
  note_pinned(address, bytes);
  return cudaSuccess;
}
cudaError_t cudaHostUnregister(void* address) {
  Guard guard(lock());
  return forget_pinned(address) ? cudaSuccess : failed(cudaErrorInvalidValue, "cudaHostUnregister");
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  Guard guard(lock());
  const Allocation* const a = find_allocation(address);
  auto* const p = const_cast<void*>(address);
  *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, p};
  if (a && a->space == Space::Device) *attributes = {cudaMemoryTypeDevice, a->device, p, nullptr};
  if (a && a->space == Space::Host) *attributes = {cudaMemoryTypeHost, a->device < 0 ? 0 : a->device, p, p};
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  Guard guard(lock());
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
  const auto copy = [=] {
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  };
  CUstream_st* const s = resolve(stream);
  bool wrong = false;
  const auto on_the_host = [&wrong](const void* p) { return !on_device(p, 0, wrong) && !pinned(p); };
  const bool pageable = on_the_host(from) || on_the_host(to);
  // Pageable memory is read or written before the call returns.
  const cudaError_t error = submit(stream, copy);
  return pageable && s && !s->capture && error == cudaSuccess ? drain(s) : error;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  Guard guard(lock());
  if (const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, nullptr)) return error;
  return cudaStreamSynchronize(nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  Guard guard(lock());
  if (bytes == 0) return cudaSuccess;
  bool wrong = false;
  if (!on_device(to, bytes, wrong) || wrong)
    return failed(cudaErrorInvalidValue, "cudaMemset of what is not on the device");
  return submit(stream, [=] {
    std::memset(to, value, bytes);
    return cudaSuccess;
  });
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) { return cudaMemsetAsync(to, value, bytes, nullptr); }

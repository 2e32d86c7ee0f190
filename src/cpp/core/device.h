// Devices with memory and queues of their own, as plans use them. The CPU needs none of this; CUDA's implementation is
// in src/cuda/core, in a module that is loaded when a device is first asked for.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/buffer.h"

namespace fastcnn {

enum class Device { Cpu, Cuda };

struct DeviceId {
  Device device = Device::Cpu;
  int index = 0;  // among the devices of the kind
  bool operator==(const DeviceId&) const = default;
};

std::string to_string(const DeviceId& id);       // "cpu", "cuda:0"
DeviceId parse_device(const std::string& name);  // "cpu", "cuda", "cuda:1"; throws Error(Config) for any other

// One device. What is asked of a stream is done in order, later; everything throws Error when the device reports one.
class DeviceRuntime {
 public:
  using Stream = void*;
  using Recording = void*;  // of what was asked of a stream, to be asked again at once

  virtual ~DeviceRuntime() = default;
  virtual std::string name() = 0;        // the maker's
  virtual std::string capability() = 0;  // "9.0"
  virtual void memory(std::int64_t& free, std::int64_t& total) = 0;

  virtual void* allocate(std::int64_t bytes) = 0;  // throws std::bad_alloc when there is no room
  virtual void release(void* memory) noexcept = 0;
  // On the host, where copies to and from the device are fastest; throws std::bad_alloc, too.
  virtual void* allocate_pinned(std::int64_t bytes) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;

  virtual Stream create_stream() = 0;
  virtual void destroy_stream(Stream stream) noexcept = 0;
  virtual void upload(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  virtual void download(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  virtual void copy(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;  // both on the device
  virtual void wait_for(Stream stream, Stream other) = 0;  // what `other` was asked so far comes first
  virtual void synchronize(Stream stream) = 0;
  virtual void synchronize() = 0;  // all streams

  virtual void begin_recording(Stream stream) = 0;  // what the stream is asked is written down, not done
  virtual Recording end_recording(Stream stream) = 0;
  virtual void abandon_recording(Stream stream) noexcept = 0;
  virtual void replay(Recording recording, Stream stream) = 0;
  virtual void destroy_recording(Recording recording) noexcept = 0;

  // Makes it the calling thread's device, which launches and all of the above go to.
  virtual void activate() = 0;
};

// Memory of a device.
class DeviceBuffer {
 public:
  DeviceBuffer() : data_(nullptr, Release{nullptr}) {}
  DeviceBuffer(DeviceRuntime& runtime, std::int64_t bytes)
      : data_(bytes > 0 ? runtime.allocate(bytes) : nullptr, Release{&runtime}) {}
  void* data() const { return data_.get(); }

 private:
  struct Release {
    DeviceRuntime* runtime;
    void operator()(void* p) const { runtime->release(p); }
  };
  std::unique_ptr<void, Release> data_;
};

// The image of a buffer of the host on a device: made, and brought up to date, when it is asked for.
class DeviceImage {
 public:
  void* on(DeviceRuntime& runtime, const Buffer& host);
  void note_host_change();
  void note_device_change();
  void fetch(const Buffer& host);  // what the device wrote since
 private:
  std::mutex mutex_;
  DeviceRuntime* runtime_ = nullptr;
  DeviceBuffer memory_;
  enum class Newer { Host, Neither, Device } newer_ = Newer::Host;
};

// Where the devices are found.
struct DeviceProvider {
  int (*count)() = nullptr;
  DeviceRuntime& (*runtime)(int index) = nullptr;
};
void install_devices(const DeviceProvider& provider);
bool has_devices();
int device_count();
DeviceRuntime& device_runtime(int index);  // throws Error(Config) for an index that is none's

}  // namespace fastcnn

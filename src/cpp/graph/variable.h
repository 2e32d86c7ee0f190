// State that outlives a run: parameters and statistics. Updated in place; the version tells plans that folded
// its value that they are stale.
#pragma once

#include <atomic>

#include "core/buffer.h"
#include "core/device.h"
#include "core/tensor.h"

namespace fastcnn {

class Variable {
 public:
  explicit Variable(const TensorType& type);

  const TensorType& type() const { return type_; }
  Tensor tensor() const;                                                        // in the host's memory, up to date
  void* on(DeviceRuntime& device) const { return image_.on(device, buffer_); }  // in the device's, up to date
  std::uint64_t id() const { return id_; }
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void assign(const void* bytes);
  // Its memory was written in place: the host's, or that of the device where it was last asked for.
  void note_change();
  void note_device_change();

 private:
  TensorType type_;
  Buffer buffer_;
  mutable DeviceImage image_;
  std::uint64_t id_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace fastcnn

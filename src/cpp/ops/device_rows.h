// The rows that a device adds to the kernel tables of ops. They come with its module (src/cuda), which is loaded when
// the device is first asked for; without it the tables have none.
#pragma once

#include "ops/op.h"

namespace fastcnn {

// What crosses between the modules; they must be built together.
inline constexpr std::uint64_t kDeviceLayout = (std::uint64_t{sizeof(KernelInfo)} << 48) +
                                               (std::uint64_t{sizeof(Problem)} << 32) +
                                               (std::uint64_t{sizeof(Tensor)} << 16) + 1;

struct OpRows {
  const char* op;                    // its name
  std::span<const KernelInfo> rows;  // ordered: best first
};

// What the module hands over when it is loaded, in a capsule of this name.
inline constexpr const char* kDeviceCapsule = "fastcnn.devices";
struct DeviceModule {
  std::uint64_t layout = kDeviceLayout;
  DeviceProvider provider;
  std::span<const OpRows> rows;
};

// Once, before plans for the device are made; throws Error(Config) for an op that is not known or has rows already.
void add_device_rows(std::span<const OpRows> rows);

// The rows of an op for a device: Op::kernels for the CPU.
std::span<const KernelInfo> kernels_of(const Op& op, Device device);

}  // namespace fastcnn

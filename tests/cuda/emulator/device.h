// The devices that are pretended, as the environment describes them.
#pragma once

#include <cstddef>

namespace emulator {

struct DeviceModel {
  int devices;       // FASTCNN_EMULATOR_DEVICES, 1
  int major, minor;  // FASTCNN_EMULATOR_CAPABILITY, 9.0
  std::size_t shared_per_block, shared_per_block_optin, shared_per_multiprocessor;
  std::size_t memory;  // bytes of each device: FASTCNN_EMULATOR_MEMORY, 8 GiB
};

const DeviceModel& device_model();  // read once

}  // namespace emulator

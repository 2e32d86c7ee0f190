// Execution: the mutable part of a plan's runs, one at a time. A plan keeps those that ended for the next runs.
#pragma once

#include "plan/plan.h"

namespace fastcnn {

class Execution {
 public:
  explicit Execution(const Plan& plan);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  void run(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds);
  // With operands on the device, after what `stream` was asked so far, which then waits for the results.
  void run_on_device(std::span<const Tensor> inputs, std::span<const Tensor> outputs, DeviceRuntime::Stream stream);

 private:
  class Queue;  // of a plan on a device: its stream, room for operands that are on the host, recorded launches

  void find_stored();
  char* address(const Location& where, std::span<const Tensor> inputs, std::span<const Tensor> outputs) const;
  void compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds);

  const Plan& plan_;
  Buffer arena_;
  DeviceBuffer device_arena_;
  char* arena_base_;
  std::vector<Tensor> operands_;  // of all steps, in order
  std::vector<void*> stored_;     // addresses of the plan's, as of this run
  std::unique_ptr<Queue> queue_;
};

}  // namespace fastcnn

#include "core/device.h"

#include <atomic>

#include "core/error.h"

namespace fastcnn {
namespace {

std::atomic<const DeviceProvider*> g_provider{nullptr};

const DeviceProvider& provider() {
  const DeviceProvider* found = g_provider.load(std::memory_order_acquire);
  require(found != nullptr, ErrorKind::Config, "cuda: the module for CUDA devices is not loaded");
  return *found;
}

}  // namespace

std::string to_string(const DeviceId& id) { return id.device == Device::Cpu ? "cpu" : cat("cuda:", id.index); }

DeviceId parse_device(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {Device::Cuda, 0};
  const std::string prefix = "cuda:",
                    digits = name.substr(0, prefix.size()) == prefix ? name.substr(prefix.size()) : "";
  const bool is_number = digits.find_first_not_of("0123456789") == std::string::npos;
  if (!digits.empty() && digits.size() <= 4 && is_number) return {Device::Cuda, std::stoi(digits)};
  fail(ErrorKind::Config, "device: expected 'cpu', 'cuda' or 'cuda:N', got '", name, "'");
}

void* DeviceImage::on(DeviceRuntime& runtime, const Buffer& host) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (runtime_ != &runtime) {
    if (newer_ == Newer::Device) {
      runtime_->activate();
      runtime_->synchronize();  // what writes it may still be under way
      runtime_->download(host.data(), memory_.data(), host.bytes(), nullptr);
      runtime_->synchronize();
      runtime.activate();
    }
    memory_ = DeviceBuffer(runtime, host.bytes());
    runtime_ = &runtime;
    newer_ = Newer::Host;
  }
  if (newer_ == Newer::Host && host.bytes() > 0) {
    runtime.upload(memory_.data(), host.data(), host.bytes(), nullptr);
    runtime.synchronize();
  }
  if (newer_ == Newer::Host) newer_ = Newer::Neither;
  return memory_.data();
}

void DeviceImage::note_host_change() {
  const std::lock_guard<std::mutex> lock(mutex_);
  newer_ = Newer::Host;
}

void DeviceImage::note_device_change() {
  const std::lock_guard<std::mutex> lock(mutex_);
  newer_ = Newer::Device;
}

void DeviceImage::fetch(const Buffer& host) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (newer_ != Newer::Device) return;
  runtime_->activate();
  runtime_->synchronize();
  runtime_->download(host.data(), memory_.data(), host.bytes(), nullptr);
  runtime_->synchronize();
  newer_ = Newer::Neither;
}

void install_devices(const DeviceProvider& provider) {
  require(!has_devices(), ErrorKind::Config, "cuda: another module for CUDA devices is loaded already");
  g_provider.store(new DeviceProvider(provider), std::memory_order_release);  // for as long as the process lives
}

bool has_devices() { return g_provider.load(std::memory_order_acquire) != nullptr; }

int device_count() { return provider().count(); }

DeviceRuntime& device_runtime(int index) {
  require(index >= 0 && index < device_count(), ErrorKind::Config,
          "device: expected 'cuda:0' to 'cuda:", device_count() - 1, "', got 'cuda:", index, "'");
  return provider().runtime(index);
}

}  // namespace fastcnn

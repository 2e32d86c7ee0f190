#include "graph/variable.h"

#include <cstring>

namespace fastcnn {
namespace {
std::atomic<std::uint64_t> g_next_id{1};
}

Variable::Variable(const TensorType& type)
    : type_(type), buffer_(type.bytes()), id_(g_next_id.fetch_add(1, std::memory_order_relaxed)) {}

Tensor Variable::tensor() const {
  image_.fetch(buffer_);
  return {buffer_.data(), type_};
}

void Variable::note_change() {
  image_.note_host_change();
  version_.fetch_add(1, std::memory_order_acq_rel);
}

void Variable::note_device_change() {
  image_.note_device_change();
  version_.fetch_add(1, std::memory_order_acq_rel);
}

void Variable::assign(const void* bytes) {
  std::memcpy(buffer_.data(), bytes, static_cast<std::size_t>(type_.bytes()));
  note_change();
}

}  // namespace fastcnn

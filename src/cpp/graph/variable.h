// State that outlives a run: parameters and statistics. Updated in place; the version tells plans that folded
// its value that they are stale.
#pragma once

#include <atomic>

#include "core/buffer.h"
#include "core/tensor.h"

namespace fastcnn {

class Variable {
 public:
  explicit Variable(const TensorType& type);

  const TensorType& type() const { return type_; }
  Tensor tensor() const { return {buffer_.data(), type_}; }
  std::uint64_t id() const { return id_; }
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void assign(const void* bytes);
  void note_change() { version_.fetch_add(1, std::memory_order_acq_rel); }  // the memory was written in place

 private:
  TensorType type_;
  Buffer buffer_;
  std::uint64_t id_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace fastcnn

// Owned memory: aligned to a cache line, backed by huge pages where it is large.
#pragma once

#include <memory>

#include "core/base.h"

namespace fastcnn {

inline constexpr std::int64_t kAlignment = 64;

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t bytes);  // throws std::bad_alloc

  void* data() const { return data_.get(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  std::unique_ptr<void, Free> data_;
  std::int64_t bytes_ = 0;
};

}  // namespace fastcnn

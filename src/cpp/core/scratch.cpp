#include "core/scratch.h"

#include "core/buffer.h"

namespace fastcnn {

void* thread_scratch(std::int64_t bytes) {
  thread_local Buffer buffer;
  if (buffer.bytes() < bytes) {
    buffer = Buffer();  // frees before it allocates: the old content is not wanted
    buffer = Buffer(bytes);
  }
  return buffer.data();
}

}  // namespace fastcnn

// Scratch memory of the calling thread, for what a task builds and throws away. For baseline files.
#pragma once

#include "core/base.h"

namespace fastcnn {

// At least `bytes` bytes, aligned to kAlignment, with unknown content; kept by the thread and enlarged when a task asks
// for more, so that a plan's second call allocates nothing. One task at a time owns it: the next call may move it.
void* thread_scratch(std::int64_t bytes);  // throws std::bad_alloc

}  // namespace fastcnn

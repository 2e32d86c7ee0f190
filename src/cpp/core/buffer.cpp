#include "core/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace fastcnn {
namespace {
constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
}

Buffer::Buffer(std::int64_t bytes) : bytes_(bytes) {
  const std::int64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const std::int64_t rounded = round_up(bytes > 0 ? bytes : 1, kAlignment);
  void* p = nullptr;
  if (posix_memalign(&p, static_cast<std::size_t>(alignment), static_cast<std::size_t>(rounded)) != 0)
    throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // A kernel walks tens of megabytes of activations: 4 KiB pages would miss the TLB at every row. The last part of a
  // page stays small: weights of 2.25 MiB would take 4.
  if (alignment == kHugePage) madvise(p, static_cast<std::size_t>(bytes / kHugePage * kHugePage), MADV_HUGEPAGE);
#endif
#if FASTCNN_SANITIZE
  // Floats are NaN until they are written: no result may depend on what was here before, not even multiplied by zero.
  std::memset(p, 0xff, static_cast<std::size_t>(rounded));
#endif
  data_.reset(p);
}

void Buffer::Free::operator()(void* p) const { std::free(p); }

}  // namespace fastcnn

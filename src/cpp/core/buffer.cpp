#include "core/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace fastcnn {
namespace {
constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
}

Buffer::Buffer(std::int64_t bytes) : bytes_(bytes) {
  const std::int64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const std::int64_t rounded = round_up(bytes > 0 ? bytes : 1, alignment);
  void* p = std::aligned_alloc(static_cast<std::size_t>(alignment), static_cast<std::size_t>(rounded));
  if (p == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // A kernel walks tens of megabytes of activations: 4 KiB pages would miss the TLB at every row.
  if (alignment == kHugePage) madvise(p, static_cast<std::size_t>(rounded), MADV_HUGEPAGE);
#endif
  data_.reset(p);
}

void Buffer::Free::operator()(void* p) const { std::free(p); }

}  // namespace fastcnn

// Which windows the products of bf16_windows.h take, and how their kernels are packed: each row of the window from a
// step on, with zeros after its last term.
#include "gemm/split_gemm.h"
#include "ops/bf16_windows.h"

#if FC_X86
namespace fastcnn {

using gemm::kSplitDepth;

namespace {
std::int64_t padded_terms(const Window2d& window, std::int64_t channels) {
  return round_up(window.w.size * channels, kSplitDepth);
}
}  // namespace

const char* bf16_windows_decline(const Window2d& window, std::int64_t channels, std::int64_t filters) {
  if (channels == 0 || filters == 0) return "there is nothing to sum or to compute";
  if (window.w.size > 1 && window.w.dilation > 1 && channels % kSplitDepth != 0)
    return "a dilated window needs channels that are a multiple of 32";
  return nullptr;
}

std::int64_t bf16_packed_size(const Window2d& window, std::int64_t channels, std::int64_t filters) {
  return gemm::packed_size(gemm::avx512bf16::bf16, window.h.size * padded_terms(window, channels), filters);
}

void pack_bf16_taps(const Window2d& window, std::int64_t channels, std::int64_t filters, const Bf16Taps& taps,
                    float* packed) {
  const std::int64_t padded = padded_terms(window, channels);
  gemm::pack_rows(gemm::avx512bf16::bf16,
                  {taps.from, taps.row_stride, taps.column_stride, taps.taps * channels, filters},
                  taps.a * padded + taps.b * channels, window.h.size * padded, packed);
}

}  // namespace fastcnn

#endif  // FC_X86

// quantize: the contract of the ops between floats and codes of 8 bits.
//
//   quantize          q = min(255, max(0, round(x / scale + zero_point))), uint8; any shape
//   dequantize        x = scale (q - zero_point), float32
//   quantize_weights  w (..., O) -> q = round(w / s[o]), int8 in [-127, 127], and s (O), float32: s[o] is the largest
//                     magnitude of channel o over 127, or 1 where that is no positive number. The channels are the last
//                     `channel_axes` axes together.
//
// Corner cases, the same for every kernel:
//   - x / scale + zero_point is one fused multiply-add by the rounded 1 / scale; it is rounded to nearest, ties to
//   even;
//   - numbers beyond the codes, infinities included, give the code at the end; NaN gives 0.
#pragma once

#include "core/quantization.h"
#include "ops/problem.h"

namespace fastcnn {

struct QuantizeParams {
  Quantization q;
};

struct QuantizeWeightsParams {
  std::int64_t channels = 0;
};

#define FC_QUANTIZE_KERNELS              \
  void quantize(const KernelArgs& args); \
  void dequantize(const KernelArgs& args);

namespace ref {
FC_QUANTIZE_KERNELS
void quantize_weights(const KernelArgs& args);
}  // namespace ref
#if FC_X86
namespace avx2 {
FC_QUANTIZE_KERNELS
}
namespace avx512 {
FC_QUANTIZE_KERNELS
}
#endif
#undef FC_QUANTIZE_KERNELS

}  // namespace fastcnn

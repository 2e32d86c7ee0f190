// depthwise_conv2d: every channel is convolved with filters of its own. x is NHWC, w is (kh, kw, C, M), M filters a
// channel:
//
//   y[n, i, j, c*M + m] = act(sum over taps (a, b) of x[n, i*stride - before + a*dilation, ..., c] * w[a, b, c, m]
//                             + bias[c*M + m] + residual[n, i, j, c*M + m])
//
//   - the sum runs over rows of taps, then columns, over the pixels inside the picture: padding adds nothing;
//   - a kernel may instead multiply padding as a zero, so where a weight is Inf or NaN, an output whose window touches
//     padding may be NaN or not;
//   - x and the result may both be stored in bfloat16 (`Epilogue::result`), where a row says that it takes it;
//   - Inf and NaN of x reach exactly the outputs whose window holds them.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"
#include "ops/window.h"

namespace fastcnn {

struct DepthwiseParams {
  Window2d window;
  Epilogue epilogue;
};

// Operands by name; null where the node has none.
struct DepthwiseOperands {
  const float *x, *w, *bias, *residual;
  float* y;
};

FC_INLINE DepthwiseOperands depthwise_operands(const KernelArgs& args) {
  const Epilogue& e = args.problem.as<DepthwiseParams>().epilogue;
  const Tensor* extra = args.in + 2;
  return {args.in[0].as<float>(), args.in[1].as<float>(), e.bias ? extra[0].as<float>() : nullptr,
          e.residual ? extra[e.bias].as<float>() : nullptr, args.out[0].as<float>()};
}

namespace ref {
void depthwise_conv2d(const KernelArgs& args);
}
#if FC_X86
#define FC_DEPTHWISE_KERNELS                                \
  void depthwise_conv2d_tiled(const KernelArgs& args);      \
  void depthwise_conv2d_bf16_tiled(const KernelArgs& args); \
  void depthwise_conv2d_taps(const KernelArgs& args);
namespace avx2 {
FC_DEPTHWISE_KERNELS
}
namespace avx512 {
FC_DEPTHWISE_KERNELS
}
#undef FC_DEPTHWISE_KERNELS
#endif

}  // namespace fastcnn

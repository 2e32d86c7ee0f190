// cross_entropy: the contract of classification losses from logits, and of their gradients. Classes are the last axis.
//
//   softmax_cross_entropy           loss = log_sum - (x_label - m), for each row of logits
//                                   m = max_k x_k,  log_sum = log(sum_k e^(x_k - m))
//                                   operands logits (..., K) and labels: integers (...), or float shares (..., K), then
//                                   loss = sum_k t_k (log_sum - (x_k - m)); results loss (...), lse (...) = m + log_sum
//   softmax_cross_entropy_gradient  dx_k = (p_k - [k = label]) dloss, with shares (p_k sum(t) - t_k) dloss;
//                                   p_k = e^(x_k - lse); operands logits, labels, lse, dloss; dx may lie over logits
//   sigmoid_cross_entropy           loss = max(x, 0) - x t + log(1 + e^-|x|), element by element; operands x, t
//   sigmoid_cross_entropy_gradient  dx = (sigmoid(x) - t) dloss; operands x, t, dloss; dx may lie over x
//
// Corner cases, the same for every kernel:
//   - a label equal to `ignore_class`, where that was given, makes loss and gradient of its row 0, whatever the logits;
//   - any other label outside 0 .. K - 1 makes them NaN, and so do a NaN or +inf among the logits;
//   - a share of 0 takes no part, though its logit be -inf.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

struct CrossEntropyParams {
  std::int64_t ignore_class = 0;
  std::int32_t has_ignore_class = 0;
  std::int32_t shares = 0;  // labels are shares of each class, not integers
};

// What a row of integer labels asks for.
struct RowLabel {
  std::int64_t label;
  bool ignored, valid;
};

FC_INLINE RowLabel row_label(const CrossEntropyParams& p, const Tensor& labels, std::int64_t row,
                             std::int64_t classes) {
  std::int64_t label = 0;
  switch (labels.type.dtype) {
    case DType::I64: label = labels.as<std::int64_t>()[row]; break;
    case DType::I32: label = labels.as<std::int32_t>()[row]; break;
    default: label = labels.as<std::uint8_t>()[row]; break;
  }
  return {label, p.has_ignore_class && label == p.ignore_class, label >= 0 && label < classes};
}

#define FC_CROSS_ENTROPY_KERNELS                               \
  void softmax_cross_entropy(const KernelArgs& args);          \
  void softmax_cross_entropy_gradient(const KernelArgs& args); \
  void sigmoid_cross_entropy(const KernelArgs& args);          \
  void sigmoid_cross_entropy_gradient(const KernelArgs& args);

namespace ref {
FC_CROSS_ENTROPY_KERNELS
}
#if FC_X86
namespace avx2 {
FC_CROSS_ENTROPY_KERNELS
}
namespace avx512 {
FC_CROSS_ENTROPY_KERNELS
}
#endif
#undef FC_CROSS_ENTROPY_KERNELS

}  // namespace fastcnn

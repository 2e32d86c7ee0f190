// An Epilogue's operands as a kernel finds them. For baseline files.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

struct EpilogueOperands {
  const float* bias = nullptr;
  const float* residual = nullptr;
  bool bf16_residual = false;  // it points at bfloat16: for rows that say they take it

  EpilogueOperands(const Epilogue& e, const KernelArgs& args, int num_operands) {
    if (e.bias) bias = args.in[num_operands].as<float>();
    if (e.residual) {
      const Tensor& operand = args.in[num_operands + e.bias];
      residual = operand.as<float>();
      bf16_residual = operand.type.dtype == DType::BF16;
    }
  }
};

// y = act(sum + bias + residual) of one element, for reference kernels; defined in ops/activation.
namespace ref {
float activate(Activation kind, float x, float alpha);

inline float finish(const Epilogue& e, const EpilogueOperands& operands, float sum, std::int64_t channel,
                    std::int64_t index) {
  if (operands.bias != nullptr) sum += operands.bias[channel];
  if (operands.residual != nullptr) sum += operands.residual[index];
  return activate(e.activation, sum, e.alpha);
}
}  // namespace ref

}  // namespace fastcnn

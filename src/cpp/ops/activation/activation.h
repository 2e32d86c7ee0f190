// activation: the contract of element-wise functions of one operand.
//
//   activation           y = act(x), the kinds of an Epilogue (core/epilogue.h)
//   unary                y = f(x), the kinds of Unary
//   activation_gradient  dx = dy act'(x), operands v and dy: v is the result y of the kinds whose slope follows from it
//                        (gradient_reads_result), else the operand x
//   unary_gradient       dx = dy f'(x), operands x and dy
//
//   relu          max(x, 0)                    sigmoid       1 / (1 + e^-x)
//   relu6         min(max(x, 0), 6)            hard_sigmoid  relu6(x + 3) / 6
//   leaky_relu    x < 0 ? alpha x : x          silu          x sigmoid(x)
//   elu           x < 0 ? alpha (e^x - 1) : x  hard_swish    x hard_sigmoid(x)
//   softplus      log(1 + e^x)                 mish          x tanh(softplus(x))
//   gelu          x Phi(x), Phi the normal distribution function; gelu_tanh: its approximation by tanh
//   clip          min(max(x, lo), hi)          rsqrt         1 / sqrt(x)
//   thresholded_relu  x < threshold ? slope (x - threshold) : x
//   floor ceil round (half to even) sign (-1, 0 or 1) sin cos tan arcsin arccos arctan sinh cosh arcsinh arccosh
//   arctanh erf           as in C's <cmath>
//
// Corner cases, the same for every kernel:
//   - NaN stays NaN, in clip too;
//   - formulas are taken at their word where infinity meets zero: silu, hard_swish, gelu and mish of -inf are NaN;
//   - denormal operands count as what they are; denormal results are rounded, not flushed;
//   - where a slope jumps it is torch's: that of the left side at 0 (relu, relu6, leaky_relu, elu, thresholded_relu), 0
//   at
//     both ends of relu6 and hard_sigmoid, 1 at both ends of clip, 0 for abs at 0;
//     where relu, relu6, hard_sigmoid, hard_swish, clip and abs have slope 0, a NaN or infinite dy ends too;
//   - floor, ceil, round and sign have slope 0 everywhere.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

struct ActivationParams {
  Activation kind = Activation::Linear;
  float alpha = 0.0f;  // slope of leaky_relu, scale of elu
};

enum class Unary : std::int32_t {
  Exp,
  Log,
  Sqrt,
  Rsqrt,
  Square,
  Abs,
  Negative,
  Reciprocal,
  Clip,
  Softplus,
  Gelu,
  GeluTanh,
  Mish,
  ThresholdedRelu,
  Floor,
  Ceil,
  Round,
  // The reference alone computes these: no network spends its time in them.
  Sign,
  Sin,
  Cos,
  Tan,
  Arcsin,
  Arccos,
  Arctan,
  Sinh,
  Cosh,
  Arcsinh,
  Arccosh,
  Arctanh,
  Erf
};
FC_INLINE constexpr bool has_vectors(Unary kind) { return kind < Unary::Sign; }
FC_INLINE constexpr bool gradient_has_vectors(Unary kind) { return kind < Unary::Floor; }

struct UnaryParams {
  Unary kind = Unary::Exp;
  float lo = 0.0f, hi = 0.0f;  // the bounds of clip; threshold and slope of thresholded_relu
};

// A negative alpha hides the sign of x from the result.
FC_INLINE constexpr bool gradient_reads_result(Activation kind, float alpha) {
  return kind != Activation::Silu && kind != Activation::HardSwish && !(alpha < 0.0f);
}

#define FC_ACTIVATION_KERNELS                       \
  void activation(const KernelArgs& args);          \
  void unary(const KernelArgs& args);               \
  void activation_gradient(const KernelArgs& args); \
  void unary_gradient(const KernelArgs& args);

namespace ref {
FC_ACTIVATION_KERNELS
float activate(Activation kind, float x, float alpha);  // for the reference kernels of rooms with an Epilogue
}  // namespace ref
#if FC_X86
namespace avx2 {
FC_ACTIVATION_KERNELS
}
namespace avx512 {
FC_ACTIVATION_KERNELS
}
#endif
#undef FC_ACTIVATION_KERNELS

}  // namespace fastcnn

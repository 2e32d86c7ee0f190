// What the products of codes share: how a sum of integers becomes a result.
//
//   s       = sum_k (x[k] - x.zero_point) w[k, o], exact in 32 bits
//   v       = s (x.scale scale[o]) + bias[o] + residual;   the first two terms one fused multiply-add
//   y       = act(v), or its code
//
// Operands after the op's x and w: scale (O), then bias (O) and residual (the shape of y) when the Epilogue says so. x
// is uint8, w int8, scale and bias float32; residual is uint8 or float32, and so is y, each for itself.
#pragma once

#include "core/epilogue.h"
#include "core/quantization.h"
#include "ops/problem.h"

namespace fastcnn {

struct Int8Epilogue {
  Epilogue epilogue;
  Quantization x;
  Quantization residual, y;  // where they are codes
  std::int32_t codes = 1;    // whether y is
};

enum class Residual : std::int32_t { None, Codes, Floats };

// An Int8Epilogue as kernels want it.
struct Int8Finish {
  Epilogue epilogue;
  Residual residual = Residual::None;
  bool codes = false;    // the result is codes
  bool bounded = false;  // the activation is nothing but bounds, which `low` and `high` hold
  float low = 0, high = 0;  // of the result, be it codes or numbers
  float inverse = 1, zero_point = 0;                    // of the result's codes
  float residual_scale = 1, residual_zero_point = 0;
};

// Columns that are computed together; what is given by column has as many elements.
inline constexpr int kInt8Columns = 32;

// Sums that become results.
struct Int8Block {
  const Int8Finish* finish;
  const std::int32_t* sums;  // rows x kInt8Columns
  std::int64_t rows, columns;
  const std::int32_t* correction;  // x.zero_point sum_k w[k, o]
  const float *scale, *bias;
  const void* residual;  // of the first element, like y
  void* y;
  std::int64_t row_stride;  // elements of y and residual from one row to the next
};

}  // namespace fastcnn

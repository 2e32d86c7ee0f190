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

// The longest sum of which no partial sum leaves 32 bits.
inline constexpr std::int64_t kInt8MaxDepth = 65536;

enum class Residual : std::int32_t { None, Codes, Floats };

// How kernels compute it: a number is v = sum scale[o] + residual residual_scale + bias[o], where scale, residual_scale
// and bias have taken in what is linear: the result's scale and, but for `Any`, where the codes' zero lies.
struct Int8Finish {
  enum Kind : std::int32_t {
    Bounds,  // the result is v within `low` and `high`
    Leaky,   // the larger of v and v alpha, plus zero_point; within the codes
    Any      // the activation of v; then, of codes, v inverse + zero_point within the codes
  };
  Kind kind = Any;
  Residual residual = Residual::None;
  bool codes = false;  // the result is codes
  Epilogue epilogue;
  float low = 0, high = 0;
  float factor = 1;  // of scale, bias and residual_scale
  float offset = 0;  // of bias, after the factor
  float inverse = 1, zero_point = 0;
  float residual_scale = 1;
};

// Columns that are computed together; what is given by column has as many elements.
inline constexpr int kInt8Columns = 32;

inline constexpr std::int64_t int8_blocks(std::int64_t columns) { return ceil_div(columns, kInt8Columns); }

// What is given by column, whole registers of it.
struct Int8Columns {
  alignas(64) float scale[kInt8Columns], bias[kInt8Columns];
  alignas(64) std::int32_t start[kInt8Columns];  // of the sums: - x.zero_point sum_k w[k, o]
};

// Sums that become results.
struct Int8Block {
  const Int8Finish* finish;
  const Int8Columns* by_column;
  const std::int32_t* sums;  // rows x kInt8Columns
  std::int64_t rows, columns;
  const void* residual;  // of the first element, like y
  void* y;
  std::int64_t row_stride;  // elements of y and residual from one row to the next
};

struct Int8Operands {
  const std::uint8_t* x;
  const float *scale, *bias;  // bias: nullptr where there is none
  const unsigned char* residual;
  unsigned char* y;
  std::int64_t residual_item, y_item;  // bytes of one element
};
Int8Operands int8_operands(const Int8Epilogue& e, const KernelArgs& args);

Int8Finish int8_finish(const Int8Epilogue& e, const KernelArgs& args);

// Of columns [first, first + count); `sums` are those of all columns of w, or nullptr.
void set_columns(const Int8Finish& finish, const Int8Epilogue& e, const Int8Operands& operands,
                 const std::int32_t* sums, std::int64_t first, std::int64_t count, Int8Columns& columns);

}  // namespace fastcnn

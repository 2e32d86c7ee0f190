#include "ops/quantize/int8_attrs.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "ops/attrs.h"
#include "ops/epilogue_attrs.h"
#include "ops/epilogue_operands.h"
#include "ops/op.h"
#include "ops/quantize/code.h"
#include "ops/quantize/quantization_attrs.h"

namespace fastcnn {

Int8Epilogue parse_int8_epilogue(AttrReader& attrs, std::span<const TensorType> inputs) {
  Int8Epilogue e;
  e.epilogue = parse_epilogue(attrs, static_cast<int>(inputs.size()), 3);
  e.x = parse_quantization(attrs, "x_");
  e.residual = parse_quantization(attrs, "residual_");
  e.codes = attrs.has("y_scale");
  e.y = parse_quantization(attrs, "y_");
  return e;
}

TensorType infer_int8_product(const char* op, const Int8Epilogue& e, std::span<const TensorType> inputs,
                              const Shape& y) {
  require(inputs[0].dtype == DType::U8, ErrorKind::DType, op, ": x: expected uint8, got ", inputs[0]);
  require(inputs[1].dtype == DType::S8, ErrorKind::DType, op, ": kernel: expected int8, got ", inputs[1]);
  require(inputs[2].dtype == DType::F32 && inputs[2].shape.rank == 1 && inputs[2].shape[0] == y.back(),
          ErrorKind::Shape, op, ": expected a float32 scale of shape (", y.back(), ",), got ", inputs[2]);
  require_epilogue_operands(op, e.epilogue, inputs, 3, y);
  if (e.epilogue.bias) require_f32(op, inputs.subspan(3, 1));
  if (e.epilogue.residual) {
    const DType dtype = inputs.back().dtype;
    require(dtype == DType::U8 || dtype == DType::F32, ErrorKind::DType, op,
            ": residual: expected uint8 or float32, got ", inputs.back());
  }
  return {e.codes ? DType::U8 : DType::F32, y};
}

Int8Operands int8_operands(const Int8Epilogue& e, const KernelArgs& args) {
  Int8Operands o{};
  o.x = args.in[0].as<std::uint8_t>();
  o.scale = args.in[2].as<float>();
  if (e.epilogue.bias) o.bias = args.in[3].as<float>();
  if (e.epilogue.residual) {
    const Tensor& residual = args.in[3 + e.epilogue.bias];
    o.residual = residual.as<unsigned char>();
    o.residual_item = item_size(residual.type.dtype);
  }
  o.y = args.out[0].as<unsigned char>();
  o.y_item = item_size(args.out[0].type.dtype);
  return o;
}

Int8Finish int8_finish(const Int8Epilogue& e, const KernelArgs& args) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Int8Finish f;
  f.epilogue = e.epilogue;
  f.codes = e.codes != 0;
  const Activation kind = e.epilogue.activation;
  const bool bounds = kind == Activation::Linear || kind == Activation::Relu || kind == Activation::Relu6;
  const bool leaky = kind == Activation::LeakyRelu && e.epilogue.alpha >= 0 && e.epilogue.alpha <= 1;
  // Codes are cut off at 0 whatever the kernel does, but not above it.
  if (bounds && (!f.codes || kind == Activation::Linear || e.y.zero_point == 0)) f.kind = Int8Finish::Bounds;
  if (leaky && f.codes) f.kind = Int8Finish::Leaky;
  f.low = kind == Activation::Linear ? -kInfinity : 0.0f;
  f.high = kind == Activation::Relu6 ? 6.0f : kInfinity;
  if (f.codes) {
    f.inverse = 1.0f / e.y.scale;
    f.zero_point = static_cast<float>(e.y.zero_point);
    if (f.kind != Int8Finish::Any) f.factor = f.inverse;
    if (f.kind == Int8Finish::Bounds) f.offset = f.zero_point;
    f.high = f.kind == Int8Finish::Bounds ? std::min(255.0f, f.high * f.inverse + f.zero_point) : 255.0f;
  }
  if (e.epilogue.residual) {
    f.residual = args.in[3 + e.epilogue.bias].type.dtype == DType::U8 ? Residual::Codes : Residual::Floats;
    f.residual_scale = f.factor;
    if (f.residual == Residual::Codes) {
      f.residual_scale *= e.residual.scale;
      f.offset -= f.residual_scale * static_cast<float>(e.residual.zero_point);
    }
  }
  return f;
}

void set_columns(const Int8Finish& finish, const Int8Epilogue& e, const Int8Operands& operands,
                 const std::int32_t* sums, std::int64_t first, std::int64_t count, Int8Columns& columns) {
  if (count < kInt8Columns) columns = {};
  const float* const scale = operands.scale + first;
  for (std::int64_t i = 0; i < count; ++i) columns.scale[i] = e.x.scale * scale[i] * finish.factor;
  if (operands.bias == nullptr) {
    std::fill_n(columns.bias, count, finish.offset);
  } else {
    const float* const bias = operands.bias + first;
    const double factor = finish.factor, offset = finish.offset;  // the product is exact
    for (std::int64_t i = 0; i < count; ++i) columns.bias[i] = static_cast<float>(bias[i] * factor + offset);
  }
  if (sums == nullptr) {
    std::fill_n(columns.start, count, 0);
  } else {
    for (std::int64_t i = 0; i < count; ++i) columns.start[i] = -e.x.zero_point * sums[first + i];
  }
}

void ref::finish(const Int8Epilogue& e, const Int8Operands& operands, std::int64_t sum, std::int64_t channel,
                 std::int64_t index) {
  const float bias = operands.bias != nullptr ? operands.bias[channel] : 0.0f;
  float v = std::fma(static_cast<float>(sum), e.x.scale * operands.scale[channel], bias);
  if (operands.residual_item == 1)
    v += e.residual.scale * static_cast<float>(operands.residual[index] - e.residual.zero_point);
  if (operands.residual_item == 4) v += reinterpret_cast<const float*>(operands.residual)[index];
  v = activate(e.epilogue.activation, v, e.epilogue.alpha);
  if (e.codes)
    operands.y[index] = code_of(v, e.y);
  else
    reinterpret_cast<float*>(operands.y)[index] = v;
}

}  // namespace fastcnn

#include "ops/quantize/quantize.h"

#include <cmath>

#include "ops/op.h"
#include "ops/quantize/quantization_attrs.h"
#include "ops/rooms.h"

namespace fastcnn {

Quantization parse_quantization(AttrReader& attrs, const std::string& prefix) {
  const std::string scale_name = prefix + "scale", zero_name = prefix + "zero_point";
  Quantization q;
  q.scale = static_cast<float>(attrs.number(scale_name.c_str(), 1.0));
  const std::int64_t zero = attrs.integer(zero_name.c_str(), 0);
  require(std::isnormal(q.scale) && q.scale > 0 && std::isnormal(1.0f / q.scale), ErrorKind::Config, attrs.op(), ": ",
          scale_name, ": expected a positive float32 with an inverse, got ", q.scale);
  require(zero >= 0 && zero <= 255, ErrorKind::Config, attrs.op(), ": ", zero_name, ": expected a code, 0 to 255, got ",
          zero);
  q.zero_point = static_cast<std::int32_t>(zero);
  return q;
}

namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return Params(QuantizeParams{parse_quantization(attrs, "")});
}

std::vector<TensorType> infer_quantize(const Params&, std::span<const TensorType> inputs) {
  require_f32("quantize", inputs);
  return {{DType::U8, inputs[0].shape}};
}

std::vector<TensorType> infer_dequantize(const Params&, std::span<const TensorType> inputs) {
  require(inputs[0].dtype == DType::U8, ErrorKind::DType, "dequantize: expected a uint8 operand, got ", inputs[0]);
  return {f32(inputs[0].shape)};
}

Params parse_weights(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape& w = inputs[0].shape;
  const std::int64_t axes = attrs.integer("channel_axes", 1);
  require(axes >= 1 && axes <= w.rank, ErrorKind::Config, attrs.op(),
          ": channel_axes: expected 1 to the rank of shape ", w, ", got ", axes);
  return Params(QuantizeWeightsParams{w.product(w.rank - static_cast<int>(axes), w.rank)});
}

std::vector<TensorType> infer_weights(const Params& params, std::span<const TensorType> inputs) {
  require_f32("quantize_weights", inputs);
  Shape channels;
  channels.push_back(params.as<QuantizeWeightsParams>().channels);
  return {{DType::S8, inputs[0].shape}, f32(channels)};
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kQuantize[] = {
#if FC_X86
    {.name = "quantize_f32_avx512", .isa = Isa::Avx512, .run = avx512::quantize},
    {.name = "quantize_f32_avx2", .isa = Isa::Avx2, .run = avx2::quantize},
#endif
    {.name = "quantize_f32_ref", .run = ref::quantize},
};

constexpr KernelInfo kDequantize[] = {
#if FC_X86
    {.name = "dequantize_u8_avx512", .isa = Isa::Avx512, .run = avx512::dequantize},
    {.name = "dequantize_u8_avx2", .isa = Isa::Avx2, .run = avx2::dequantize},
#endif
    {.name = "dequantize_u8_ref", .run = ref::dequantize},
};

constexpr KernelInfo kQuantizeWeights[] = {{.name = "quantize_weights_f32_ref", .run = ref::quantize_weights}};

}  // namespace

const Op quantize_op{.name = "quantize", .parse = parse, .infer = infer_quantize, .kernels = kQuantize, .int8 = true};
const Op dequantize_op{
    .name = "dequantize", .parse = parse, .infer = infer_dequantize, .kernels = kDequantize, .int8 = true};
const Op quantize_weights_op{.name = "quantize_weights",
                             .parse = parse_weights,
                             .infer = infer_weights,
                             .kernels = kQuantizeWeights,
                             .int8 = true};

}  // namespace fastcnn

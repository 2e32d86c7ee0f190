#include "ops/epilogue_attrs.h"

#include "core/error.h"
#include "ops/attrs.h"

namespace fastcnn {

const char* activation_name(Activation kind) {
  switch (kind) {
    case Activation::Linear: return "linear";
    case Activation::Relu: return "relu";
    case Activation::Relu6: return "relu6";
    case Activation::LeakyRelu: return "leaky_relu";
    case Activation::Elu: return "elu";
    case Activation::Sigmoid: return "sigmoid";
    case Activation::HardSigmoid: return "hard_sigmoid";
    case Activation::Tanh: return "tanh";
    case Activation::Silu: return "silu";
    case Activation::HardSwish: return "hard_swish";
  }
  return "?";
}

Activation parse_activation(AttrReader& attrs, float& alpha) {
  // In the order of the enumeration.
  const auto kind = static_cast<Activation>(attrs.choice(
      "activation",
      {"linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "silu", "hard_swish"},
      "linear"));
  alpha = 0.0f;
  if (kind == Activation::LeakyRelu) alpha = static_cast<float>(attrs.number("alpha", 0.2));
  if (kind == Activation::Elu) alpha = static_cast<float>(attrs.number("alpha", 1.0));
  return kind;
}

Epilogue parse_epilogue(AttrReader& attrs, int num_inputs, int num_operands) {
  Epilogue e;
  e.activation = parse_activation(attrs, e.alpha);
  const int extra = num_inputs - num_operands;
  e.residual = attrs.boolean("has_residual", extra == 2 || (extra == 1 && !attrs.boolean("has_bias", true)));
  e.bias = attrs.boolean("has_bias", extra == 2 || (extra == 1 && !e.residual));
  require(extra == e.bias + e.residual, ErrorKind::Config, attrs.op(), ": expected ", num_operands,
          " operands, then a bias and a residual where has_bias and has_residual say so, got ", num_inputs,
          " with has_bias = ", e.bias ? "True" : "False", " and has_residual = ", e.residual ? "True" : "False");
  return e;
}

DType parse_storage(AttrReader& attrs) {
  return attrs.choice("storage", {"float32", "bfloat16"}, "float32") == 0 ? DType::F32 : DType::BF16;
}

void require_storage(const char* op, const TensorType& operand) {
  require(operand.dtype == DType::F32 || operand.dtype == DType::BF16, ErrorKind::DType, op,
          ": expected float32 operands, got ", operand);
}

void require_storage(const char* op, std::span<const TensorType> inputs, std::uint32_t alike) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool may = (alike >> i & 1u) != 0;
    if (may) require_storage(op, inputs[i]);
    const DType expected = may ? inputs[0].dtype : DType::F32;
    require(inputs[i].dtype == expected, ErrorKind::DType, op, ": expected ", dtype_name(expected), " operands, got ",
            inputs[i]);
  }
}

void require_product_storage(const char* op, const Epilogue& e, std::span<const TensorType> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool residual = e.residual && i + 1 == inputs.size();
    if (i == 0 || residual)
      require_storage(op, inputs[i]);
    else
      require(inputs[i].dtype == DType::F32, ErrorKind::DType, op, ": expected float32 operands, got ", inputs[i]);
  }
}

void require_epilogue_operands(const char* op, const Epilogue& e, std::span<const TensorType> inputs, int num_operands,
                               const Shape& y) {
  const int expected = num_operands + e.bias + e.residual, given = static_cast<int>(inputs.size());
  require(given == expected, ErrorKind::Config, op, ": expected ", expected, " operands, got ", given);
  if (e.bias) {
    const Shape& bias = inputs[static_cast<std::size_t>(num_operands)].shape;
    require(bias.rank == 1 && bias[0] == y.back(), ErrorKind::Shape, op, ": expected a bias of shape (", y.back(),
            ",), got shape ", bias);
  }
  if (e.residual) {
    const Shape& residual = inputs[static_cast<std::size_t>(num_operands + e.bias)].shape;
    require(residual == y, ErrorKind::Shape, op, ": expected a residual of the result's shape ", y, ", got shape ",
            residual);
  }
}

}  // namespace fastcnn

// Reads an Epilogue (core/epilogue.h) from attributes: `activation`, its `alpha`, and which extra operands there are.
#pragma once

#include <span>

#include "core/epilogue.h"

namespace fastcnn {

class AttrReader;

const char* activation_name(Activation kind);  // "leaky_relu", Keras' names

// `activation`: "linear" (default), "relu", "relu6", "leaky_relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "silu" or
// "hard_swish". `alpha` is read for leaky_relu (default 0.2, Keras' negative_slope) and elu (default 1), else it is 0.
Activation parse_activation(AttrReader& attrs, float& alpha);

// The activation, and the operands after the op's own `num_operands`: bias, then residual. Two extra operands are both;
// a single one is the bias unless `has_bias` = False or `has_residual` = True says that it is the residual.
Epilogue parse_epilogue(AttrReader& attrs, int num_inputs, int num_operands);

// `storage`: "float32" (default) or "bfloat16", what the result is stored in.
DType parse_storage(AttrReader& attrs);

// For infer functions: that an operand is float32 or bfloat16.
void require_storage(const char* op, const TensorType& operand);

// For infer functions of ops that take the operands in `alike` (bits) in bfloat16, all of them or none: that they are.
void require_storage(const char* op, std::span<const TensorType> inputs, std::uint32_t alike);

// For infer functions: that a product's picture (operand 0) and residual are one of these, and all else float32.
void require_product_storage(const char* op, const Epilogue& epilogue, std::span<const TensorType> inputs);

// For infer functions: that the operands after the op's own are what the Epilogue says, a bias of one number a channel
// of the result `y` and a residual of its shape.
void require_epilogue_operands(const char* op, const Epilogue& epilogue, std::span<const TensorType> inputs,
                               int num_operands, const Shape& y);

}  // namespace fastcnn

#include "ops/integers/integers.h"

#include "ops/binary/binary.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  IntegerParams p;
  // In the order of the enumeration.
  p.kind = static_cast<IntegerKind>(
      attrs.choice("kind",
                   {"add", "sub", "mul", "div", "mod", "fmod", "pow", "maximum", "minimum", "and", "or", "xor", "equal",
                    "not_equal", "greater", "greater_equal", "less", "less_equal"},
                   ""));
  return Params(p);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  const IntegerKind kind = params.as<IntegerParams>().kind;
  const DType dtype = inputs[0].dtype;
  require(dtype == inputs[1].dtype && dtype != DType::F32 && dtype != DType::F64, ErrorKind::DType,
          "integer_binary: expected two operands of one integer dtype, got ", inputs[0], " and ", inputs[1]);
  require(dtype != DType::Bool || kind >= IntegerKind::Maximum, ErrorKind::DType,
          "integer_binary: there is no arithmetic of bool");
  return {{compares(kind) ? DType::Bool : dtype, broadcast_shape("integer_binary", inputs[0].shape, inputs[1].shape)}};
}

constexpr KernelInfo kKernels[] = {{.name = "integer_binary_any_ref", .run = ref::integer_binary}};

}  // namespace

const Op integer_binary_op{
    .name = "integer_binary", .parse = parse, .infer = infer, .kernels = kKernels, .gradient = no_gradient};

}  // namespace fastcnn

#include "ops/op.h"

namespace fastcnn {

const char* precision_name(Precision p) {
  switch (p) {
    case Precision::Highest: return "highest";
    case Precision::High: return "high";
    case Precision::Medium: return "medium";
  }
  return "?";
}

Precision parse_precision(const std::string& name) {
  if (name == "highest") return Precision::Highest;
  if (name == "high") return Precision::High;
  if (name == "medium") return Precision::Medium;
  fail(ErrorKind::Config, "float32 precision: expected 'highest', 'high' or 'medium', got '", name, "'");
}

const Op& find_op(const std::string& name) {
  for (const Op* op : all_ops())
    if (name == op->name) return *op;
  fail(ErrorKind::Config, "unknown op '", name, "'");
}

void require_inputs(const char* op, std::span<const TensorType> inputs, int at_least, int at_most) {
  const int n = static_cast<int>(inputs.size());
  require(n >= at_least && n <= at_most, ErrorKind::Config, op, ": expected ", at_least,
          at_least == at_most ? std::string() : cat(" to ", at_most), " operands, got ", n);
}

void require_f32(const char* op, std::span<const TensorType> inputs) {
  for (const TensorType& t : inputs)
    require(t.dtype == DType::F32, ErrorKind::DType, op, ": expected float32 operands, got ", t);
}

void require_rank(const char* op, const char* operand, const TensorType& type, int rank) {
  require(type.shape.rank == rank, ErrorKind::Shape, op, ": ", operand, " must have ", rank, " dimensions, got shape ",
          type.shape);
}

std::uint32_t operands_of_one_rank(const Problem& problem) {
  std::uint32_t operands = 0;
  for (int i = 0; i < problem.num_inputs; ++i)
    if (problem.inputs[i].shape.rank == problem.inputs[0].shape.rank) operands |= 1u << i;
  return operands;
}

const char* refuse_storage(const KernelInfo& row, const Problem& problem) {
  const auto is_bf16 = [](const TensorType& type) { return type.dtype == DType::BF16; };
  if (row.bf16_alike != nullptr) {
    const std::uint32_t alike = row.bf16_alike(problem);
    std::uint32_t stored = 0;
    for (int i = 0; i < problem.num_inputs; ++i)
      if (is_bf16(problem.inputs[i])) stored |= 1u << i;
    if ((stored & ~alike) != 0) return "does not read bfloat16";
    if (stored == alike && stored != 0) return nullptr;
    if (stored != 0) return "reads all its pictures in bfloat16, or none";
    for (int i = 0; i < problem.num_outputs; ++i)
      if (is_bf16(problem.outputs[i])) return "writes bfloat16 only where it reads it";
    return nullptr;
  }
  if (!row.bf16_picture && problem.num_inputs > 0 && is_bf16(problem.inputs[0])) return "does not read bfloat16";
  if (row.bf16_result) return nullptr;
  for (int i = 1; i < problem.num_inputs; ++i)
    if (is_bf16(problem.inputs[i])) return "does not read bfloat16";
  for (int i = 0; i < problem.num_outputs; ++i)
    if (is_bf16(problem.outputs[i])) return "does not write bfloat16";
  return nullptr;
}

}  // namespace fastcnn

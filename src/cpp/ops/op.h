// The seam every room has: an Op is parameters + shape rule + kernel table; a Kernel is a row of that table.
// Not for ISA files, which include ops/problem.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/cpu.h"
#include "core/device.h"
#include "core/epilogue.h"
#include "core/error.h"
#include "ops/attrs.h"
#include "ops/problem.h"

namespace fastcnn {

using ValueId = int;  // of a graph

enum class Precision { Highest, High, Medium };  // docs/precision.md; a row is allowed at its own level and looser ones

const char* precision_name(Precision p);
Precision parse_precision(const std::string& name);

struct KernelInfo {
  const char* name;  // <op>_f32[_<variant>]_<isa>: the one string for logs, tests and benchmarks
  Device device = Device::Cpu;
  Isa isa = Isa::Ref;
  Precision precision = Precision::Highest;  // of what it computes; operands stored in bfloat16 count apart
  void (*run)(const KernelArgs&) = nullptr;
  const char* (*declines)(const Problem&) = nullptr;    // nullptr result: takes it; else the reason
  const char* (*yields)(const Problem&) = nullptr;      // why a row below is faster here; nullptr: none is known to be
  std::int64_t (*workspace)(const Problem&) = nullptr;  // bytes of arena it needs
  // An op that rewrites operand `pack_input` into the layout this kernel reads, its parameters being this
  // node's: a plain node of the graph, folded away once where the operand is constant.
  const struct Op* pack = nullptr;
  // The node's parameters without what packing does not read, so that nodes that differ in that alone (the size of the
  // picture, the batch) share one packed operand.
  Params (*pack_params)(const Params&) = nullptr;
  int pack_input = 1;
  // Whether it takes a Tensor::pitch: that of its picture (operand 0), and, where it has no residual, that of its
  // result. So a part of a concatenation of channels is computed in its place.
  bool pitched_picture = false, pitched_result = false;
  // Whether its picture (operand 0) may be stored in bfloat16; its result and its residual.
  bool bf16_picture = false, bf16_result = false;
  // Or the operands (as bits) that it takes in bfloat16, all of them or none; a result of their type is stored alike.
  std::uint32_t (*bf16_alike)(const Problem&) = nullptr;
  // Whether it may write its result over operand 0, where not all rows of the op may, nor always
  // (Op::in_place_operands).
  bool (*in_place)(const Problem&) = nullptr;
};

// For `bf16_alike`: these operands; those with as many dimensions as operand 0.
template <int count>
std::uint32_t first_operands(const Problem&) {
  return (1u << count) - 1;
}
std::uint32_t operands_of_one_rank(const Problem& problem);

// Why a row cannot take operands or results stored as they are; nullptr: it can.
const char* refuse_storage(const KernelInfo& row, const Problem& problem);

struct Op {
  const char* name;
  // Reads and checks attributes; resolves what depends on shapes ("same" padding) against the operands.
  Params (*parse)(AttrReader& attrs, std::span<const TensorType> inputs);
  // Types of the results; throws Error(Shape | DType) naming what was expected.
  std::vector<TensorType> (*infer)(const Params& params, std::span<const TensorType> inputs);
  std::span<const KernelInfo> kernels;              // ordered: best first, ref last
  std::int64_t (*flops)(const Problem&) = nullptr;  // nullptr: counts as data movement only
  // For ops whose kernels end in an Epilogue: where it sits in the parameters. Its operands follow the op's own
  // `num_operands`: bias, then residual, each when the Epilogue says so. (0: the number depends on parameters; then
  // there is no bias, and the residual is the last operand.)
  Epilogue& (*epilogue)(Params& params) = nullptr;
  int num_operands = 0;
  bool is_view = false;  // the result is the first operand's memory under another shape; no kernels
  bool int8 = false;     // computes on codes of 8 bits, whatever the precision level: plans call it int8
  // Kernels may write result i over operand i, for so many leading operands, where both have the same size.
  int in_place_operands = 0;
  void (*gradient)(class NodeGradient& node) = nullptr;  // ops/gradient.h; nullptr: a view, or no derivative
};

// The explicit list of all ops (ops/registry.cpp).
std::span<const Op* const> all_ops();
const Op& find_op(const std::string& name);  // throws Error(Config)

// One-line helpers for infer functions.
void require_inputs(const char* op, std::span<const TensorType> inputs, int at_least, int at_most);
void require_f32(const char* op, std::span<const TensorType> inputs);
void require_rank(const char* op, const char* operand, const TensorType& type, int rank);
inline TensorType f32(const Shape& shape) { return {DType::F32, shape}; }

}  // namespace fastcnn

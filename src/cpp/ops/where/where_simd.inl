// Computes   where (the contract: where.h).
// Layout     operands of the result's shape as runs of elements; operands of one element stand still.
// Tile       one register a step.
// Why        one selection for three loads: bound by memory.
// Needs      a float32 condition; each operand of the result's size, or of one element.
// Accuracy   exact.
#include "ops/where/where.h"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {

void where(const KernelArgs& args) {
  const std::int64_t size = args.out[0].shape().size();
  const float* operands[3];
  bool moves[3];
  for (int k = 0; k < 3; ++k) {
    operands[k] = args.in[k].as<float>();
    moves[k] = args.in[k].shape().size() == size;
  }
  float* y = args.out[0].as<float>();
  parallel_registers(size, [&](std::int64_t i, auto lanes) {
    const auto operand = [&](int k) { return moves[k] ? load(operands[k] + i, lanes) : set(*operands[k]); };
    store(y + i, select(operand(0) == zero(), operand(2), operand(1)), lanes);
  });
}

}  // namespace fastcnn::FC_SIMD

#include "ops/transpose/transpose.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_transpose(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const int rank = inputs[0].shape.rank;
  std::vector<std::int64_t> axes;
  for (int i = rank - 1; i >= 0; --i) axes.push_back(i);
  axes = attrs.integers("axes", axes);
  TransposeParams p;
  bool seen[kMaxRank] = {};
  bool valid = static_cast<int>(axes.size()) == rank;
  for (int i = 0; valid && i < rank; ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    valid = axis >= 0 && axis < rank && !seen[axis];
    if (!valid) break;
    seen[axis] = true;
    p.axes[i] = static_cast<std::int32_t>(axis);
  }
  require(valid, ErrorKind::Config, "transpose: axes: expected each axis of x once, x having shape ", inputs[0].shape);
  return Params(p);
}

std::vector<TensorType> infer_transpose(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<TransposeParams>();
  TensorType y = inputs[0];
  for (int i = 0; i < y.shape.rank; ++i) y.shape[i] = inputs[0].shape[p.axes[i]];
  return {y};
}

void transpose_gradient(NodeGradient& node) {
  const auto& p = node.params().as<TransposeParams>();
  TransposeParams back;
  for (int i = 0; i < node.input_shape(0).rank; ++i) back.axes[p.axes[i]] = i;
  node.set(0, node.add(transpose_op, Params(back), {node.upstream()}));
}

// ---- the kernels ----------------------------------------------------------------------------

template <TransposeFn transpose4>
void run_transpose(const KernelArgs& args) {
  strided_copy(transpose_box(args.problem.as<TransposeParams>(), args.in[0], args.out[0]), transpose4);
}

#if FC_X86
const char* not_four_bytes(const Problem& problem) {
  return item_size(problem.inputs[0].dtype) == 4 ? nullptr : "transposes items of 4 bytes";
}
#endif

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "transpose_b32_avx2",
     .isa = Isa::Avx2,
     .run = run_transpose<avx2::transpose4>,
     .declines = not_four_bytes},
#endif
    {.name = "transpose_any_ref", .run = run_transpose<nullptr>},
};

}  // namespace

const Op transpose_op{.name = "transpose",
                      .parse = parse_transpose,
                      .infer = infer_transpose,
                      .kernels = kKernels,
                      .gradient = transpose_gradient};

}  // namespace fastcnn

#include "ops/space_depth/space_depth.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_space_depth(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), "x", inputs[0], 4);
  SpaceDepthParams p;
  p.block = attrs.integer("block_size", 2);
  constexpr std::int64_t kLimit = std::int64_t{1} << 15;  // its square times a size stays inside int64
  require(p.block >= 1 && p.block < kLimit, ErrorKind::Config, attrs.op(), ": block_size: expected 1 to ", kLimit - 1,
          ", got ", p.block);
  p.crd = attrs.choice("mode", {"DCR", "CRD"}, "DCR");
  return Params(p);
}

std::vector<TensorType> infer_to_depth(const Params& params, std::span<const TensorType> inputs) {
  const std::int64_t b = params.as<SpaceDepthParams>().block;
  TensorType y = inputs[0];
  require(y.shape[1] % b == 0 && y.shape[2] % b == 0, ErrorKind::Shape,
          "space_to_depth: height and width must be multiples of block_size ", b, ", got shape ", y.shape);
  y.shape[1] /= b, y.shape[2] /= b, y.shape[3] *= b * b;
  return {y};
}

std::vector<TensorType> infer_to_space(const Params& params, std::span<const TensorType> inputs) {
  const std::int64_t b = params.as<SpaceDepthParams>().block;
  TensorType y = inputs[0];
  require(y.shape[3] % (b * b) == 0, ErrorKind::Shape, "depth_to_space: channels must be a multiple of block_size^2 ",
          b * b, ", got shape ", y.shape);
  y.shape[1] *= b, y.shape[2] *= b, y.shape[3] /= b * b;
  return {y};
}

// ---- the kernels ----------------------------------------------------------------------------

void run_to_depth(const KernelArgs& args) {
  strided_copy(to_depth_box(args.problem.as<SpaceDepthParams>(), args.in[0], args.out[0]));
}

void run_to_space(const KernelArgs& args) {
  strided_copy(to_space_box(args.problem.as<SpaceDepthParams>(), args.in[0], args.out[0]));
}

void to_depth_gradient(NodeGradient& node) {
  node.set(0, node.add(depth_to_space_op, node.params(), {node.upstream()}));
}
void to_space_gradient(NodeGradient& node) {
  node.set(0, node.add(space_to_depth_op, node.params(), {node.upstream()}));
}

constexpr KernelInfo kToDepthKernels[] = {{.name = "space_to_depth_any_ref", .run = run_to_depth}};
constexpr KernelInfo kToSpaceKernels[] = {{.name = "depth_to_space_any_ref", .run = run_to_space}};

}  // namespace

const Op space_to_depth_op{.name = "space_to_depth",
                           .parse = parse_space_depth,
                           .infer = infer_to_depth,
                           .kernels = kToDepthKernels,
                           .gradient = to_depth_gradient};
const Op depth_to_space_op{.name = "depth_to_space",
                           .parse = parse_space_depth,
                           .infer = infer_to_space,
                           .kernels = kToSpaceKernels,
                           .gradient = to_space_gradient};

}  // namespace fastcnn

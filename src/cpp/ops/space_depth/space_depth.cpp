#include "ops/space_depth/space_depth.h"

#include "ops/gradient.h"
#include "ops/rooms.h"
#include "ops/strided_copy.h"
#include "ops/transpose/transpose.h"

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

// ---- the kernels: both are a copy between two orders of (n, i, r, j, s, c) --------------------

struct Steps {
  std::int64_t n, i, r, j, s, c;  // bytes: picture, block row, row in block, block column, column in block, channel
};

// `wide` is the shape with the larger picture.
Steps space_steps(const Shape& wide, std::int64_t item, std::int64_t b) {
  const std::int64_t c = item, pixel = wide[3] * c, row = wide[2] * pixel;
  return {wide[1] * row, b * row, row, b * pixel, pixel, c};
}

Steps depth_steps(const Shape& wide, std::int64_t item, std::int64_t b, bool crd) {
  const std::int64_t pixel = wide[3] * b * b * item, row = wide[2] / b * pixel;
  return {wide[1] / b * row,        row, crd ? b * item : b * wide[3] * item, pixel, crd ? item : wide[3] * item,
          crd ? b * b * item : item};
}

template <TransposeFn transpose4>
void run_to_depth(const KernelArgs& args) {
  const auto& p = args.problem.as<SpaceDepthParams>();
  const Shape& x = args.in[0].shape();
  StridedCopy box;
  box.from = args.in[0].as<unsigned char>();
  box.to = args.out[0].as<unsigned char>();
  box.item = item_size(args.in[0].type.dtype);
  const Steps from = space_steps(x, box.item, p.block), to = depth_steps(x, box.item, p.block, p.crd);
  box.add_axis(x[0], from.n, to.n);
  box.add_axis(x[1] / p.block, from.i, to.i);
  box.add_axis(x[2] / p.block, from.j, to.j);
  if (p.crd) box.add_axis(x[3], from.c, to.c);
  box.add_axis(p.block, from.r, to.r);
  box.add_axis(p.block, from.s, to.s);
  if (!p.crd) box.add_axis(x[3], from.c, to.c);
  strided_copy(box, transpose4);
}

template <TransposeFn transpose4>
void run_to_space(const KernelArgs& args) {
  const auto& p = args.problem.as<SpaceDepthParams>();
  const Shape& y = args.out[0].shape();
  StridedCopy box;
  box.from = args.in[0].as<unsigned char>();
  box.to = args.out[0].as<unsigned char>();
  box.item = item_size(args.in[0].type.dtype);
  const Steps from = depth_steps(y, box.item, p.block, p.crd), to = space_steps(y, box.item, p.block);
  box.add_axis(y[0], from.n, to.n);
  box.add_axis(y[1] / p.block, from.i, to.i);
  box.add_axis(p.block, from.r, to.r);
  box.add_axis(y[2] / p.block, from.j, to.j);
  box.add_axis(p.block, from.s, to.s);
  box.add_axis(y[3], from.c, to.c);
  strided_copy(box, transpose4);
}

void to_depth_gradient(NodeGradient& node) {
  node.set(0, node.add(depth_to_space_op, node.params(), {node.upstream()}));
}
void to_space_gradient(NodeGradient& node) {
  node.set(0, node.add(space_to_depth_op, node.params(), {node.upstream()}));
}

constexpr KernelInfo kToDepthKernels[] = {{.name = "space_to_depth_any_ref", .run = run_to_depth<nullptr>}};
constexpr KernelInfo kToSpaceKernels[] = {{.name = "depth_to_space_any_ref", .run = run_to_space<nullptr>}};

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

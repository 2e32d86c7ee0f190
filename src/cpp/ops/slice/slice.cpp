#include "ops/slice/slice.h"

#include <cstring>

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse_slice(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape& x = inputs[0].shape;
  const std::vector<std::int64_t> begin = attrs.integers("begin", {}), size = attrs.integers("size", {});
  const std::vector<std::int64_t> step = attrs.integers("step", std::vector<std::int64_t>(begin.size(), 1));
  const std::size_t rank = static_cast<std::size_t>(x.rank);
  require(begin.size() == rank && size.size() == rank && step.size() == rank, ErrorKind::Config,
          "slice: expected begin, size and step for each of the ", x.rank, " axes of x, got ", begin.size(), ", ",
          size.size(), " and ", step.size());
  SliceParams p;
  for (int i = 0; i < x.rank; ++i) {
    p.begin[i] = begin[i], p.size[i] = size[i], p.step[i] = step[i];
    constexpr std::int64_t kLimit = std::int64_t{1} << 31;
    require(step[i] != 0 && step[i] > -kLimit && step[i] < kLimit, ErrorKind::Config, "slice: step of axis ", i,
            ": expected a number other than 0 below 2^31, got ", step[i]);
    // The last element is begin + (size - 1) * step; with |step| < 2^31 and size <= n nothing overflows.
    const bool inside = size[i] == 0
                            ? begin[i] >= 0 && begin[i] <= x[i]
                            : size[i] > 0 && size[i] <= x[i] && begin[i] >= 0 && begin[i] < x[i] &&
                                  begin[i] + (size[i] - 1) * step[i] >= 0 && begin[i] + (size[i] - 1) * step[i] < x[i];
    require(inside, ErrorKind::Shape, "slice: axis ", i, ": ", size[i], " elements from ", begin[i], " in steps of ",
            step[i], " do not lie inside x of shape ", x);
  }
  return Params(p);
}

std::vector<TensorType> infer_slice(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<SliceParams>();
  TensorType y = inputs[0];
  for (int i = 0; i < y.shape.rank; ++i) y.shape[i] = p.size[i];
  return {y};
}

std::vector<TensorType> infer_gradient(const Params& params, std::span<const TensorType> inputs) {
  return {{inputs[0].dtype, params.as<SliceGradientParams>().x}};
}

void slice_gradient(NodeGradient& node) {
  const SliceGradientParams p{node.params().as<SliceParams>(), node.input_shape(0)};
  node.set(0, node.add(slice_gradient_op, Params(p), {node.upstream()}));
}

// Its own adjoint: what was scattered is gathered.
void slice_gradient_gradient(NodeGradient& node) {
  node.set(0, node.add(slice_op, Params(node.params().as<SliceGradientParams>().slice), {node.upstream()}));
}

void run_slice(const KernelArgs& args) {
  strided_copy(slice_box(args.problem.as<SliceParams>(), args.in[0], args.out[0]));
}

// Reads y in order and writes it where it came from; a step backwards is a step of the memory written.
void run_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<SliceGradientParams>().slice;
  const Shape &y = args.in[0].shape(), &x = args.out[0].shape();
  StridedCopy box = StridedCopy::between(args.in[0], args.out[0]);
  constexpr std::int64_t kTaskBytes = 256 * 1024;
  unsigned char* zeros = box.to;
  parallel_ranges(args.out[0].type.bytes(), kTaskBytes, [&](std::int64_t begin, std::int64_t end) {
    std::memset(zeros + begin, 0, static_cast<std::size_t>(end - begin));
  });
  for (int i = 0; i < y.rank; ++i) {
    // Each axis is walked so that the memory written is walked forwards.
    const std::int64_t from = box.item * y.product(i + 1, y.rank), to = box.item * x.product(i + 1, x.rank);
    const bool backwards = p.step[i] < 0;
    box.to += (backwards ? p.begin[i] + (y[i] - 1) * p.step[i] : p.begin[i]) * to;
    if (backwards) box.from += (y[i] - 1) * from;
    box.add_axis(y[i], backwards ? -from : from, (backwards ? -p.step[i] : p.step[i]) * to);
  }
  if (y.size() > 0) strided_copy(box);
}

constexpr KernelInfo kKernels[] = {
    {.name = "slice_any_ref", .run = run_slice, .bf16_picture = true, .bf16_result = true}};
constexpr KernelInfo kGradientKernels[] = {
    {.name = "slice_gradient_any_ref", .run = run_gradient, .bf16_alike = first_operands<1>}};

Params parse_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  SliceGradientParams p;
  for (const std::int64_t n : attrs.integers("shape", {})) {
    require(p.x.rank < kMaxRank && n >= 0, ErrorKind::Config, "slice_gradient: shape: expected at most ", kMaxRank,
            " sizes >= 0");
    p.x.push_back(n);
  }
  const TensorType x{inputs[0].dtype, p.x};
  p.slice = parse_slice(attrs, std::span(&x, 1)).as<SliceParams>();
  for (int i = 0; i < p.x.rank; ++i)
    require(inputs[0].shape.rank == p.x.rank && inputs[0].shape[i] == p.slice.size[i], ErrorKind::Shape,
            "slice_gradient: dy of shape ", inputs[0].shape, " has not the slice's sizes");
  return Params(p);
}

}  // namespace

const Op slice_op{
    .name = "slice", .parse = parse_slice, .infer = infer_slice, .kernels = kKernels, .gradient = slice_gradient};
const Op slice_gradient_op{.name = "slice_gradient",
                           .parse = parse_gradient,
                           .infer = infer_gradient,
                           .kernels = kGradientKernels,
                           .gradient = slice_gradient_gradient};

}  // namespace fastcnn

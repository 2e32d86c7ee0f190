#include "ops/slice/slice.h"

#include "ops/op.h"
#include "ops/rooms.h"
#include "ops/strided_copy.h"

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

void run_slice(const KernelArgs& args) {
  const auto& p = args.problem.as<SliceParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  StridedCopy box;
  box.from = args.in[0].as<unsigned char>();
  box.to = args.out[0].as<unsigned char>();
  box.item = item_size(args.in[0].type.dtype);
  for (int i = 0; i < y.rank; ++i) {
    const std::int64_t from = box.item * x.product(i + 1, x.rank);
    box.from += p.begin[i] * from;
    box.add_axis(y[i], p.step[i] * from, box.item * y.product(i + 1, y.rank));
  }
  strided_copy(box);
}

constexpr KernelInfo kKernels[] = {{.name = "slice_any_ref", .run = run_slice}};

}  // namespace

const Op slice_op{.name = "slice", .parse = parse_slice, .infer = infer_slice, .kernels = kKernels};

}  // namespace fastcnn

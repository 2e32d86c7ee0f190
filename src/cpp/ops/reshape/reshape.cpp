#include "ops/reshape/reshape.h"

#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Shape read_shape(AttrReader& attrs, std::int64_t at_least) {
  const std::vector<std::int64_t> sizes = attrs.integers("shape", {});
  require(attrs.has("shape") && sizes.size() <= static_cast<std::size_t>(kMaxRank), ErrorKind::Config, attrs.op(),
          ": shape: expected at most ", kMaxRank, " sizes, got ", sizes.size());
  Shape s;
  std::int64_t total = 1;
  for (std::int64_t n : sizes) {
    const bool fits = n >= at_least && (n <= 0 || !__builtin_mul_overflow(total, n, &total));
    require(fits, ErrorKind::Config, attrs.op(), ": shape: the size ", n, " is not allowed here");
    s.push_back(n);
  }
  return s;
}

Params parse_reshape(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape& x = inputs[0].shape;
  const Shape asked = read_shape(attrs, -1);
  Shape y = asked;
  int open = -1;
  std::int64_t known = 1;
  for (int i = 0; i < y.rank; ++i) {
    if (y[i] != -1) {
      known *= y[i];
    } else {
      require(open < 0, ErrorKind::Config, "reshape: shape: only one size may be -1, got ", asked);
      open = i;
    }
  }
  if (open >= 0) y[open] = known > 0 ? x.size() / known : 0;
  require(y.size() == x.size() && (open < 0 || known > 0), ErrorKind::Shape, "reshape: x of shape ", x, " has ",
          x.size(), " elements and cannot become ", asked);
  return Params(ReshapeParams{y});
}

std::vector<TensorType> infer_shape(const Params& params, std::span<const TensorType> inputs) {
  return {{inputs[0].dtype, params.as<ReshapeParams>().shape}};
}

Params parse_stop_gradient(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return Params(ReshapeParams{inputs[0].shape});
}

Params parse_broadcast(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const Shape &x = inputs[0].shape, y = read_shape(attrs, 0);
  bool valid = y.rank >= x.rank;
  for (int i = 1; valid && i <= x.rank; ++i) valid = x[x.rank - i] == 1 || x[x.rank - i] == y[y.rank - i];
  require(valid, ErrorKind::Shape, "broadcast_to: x of shape ", x, " cannot be repeated to ", y);
  return Params(ReshapeParams{y});
}

void run_broadcast(const KernelArgs& args) { strided_copy(broadcast_box(args.in[0], args.out[0])); }

void broadcast_gradient(NodeGradient& node) { node.set(0, sum_to_shape(node, node.upstream(), node.input_shape(0))); }

constexpr KernelInfo kBroadcastKernels[] = {{.name = "broadcast_to_any_ref", .run = run_broadcast}};

}  // namespace

const Op reshape_op{.name = "reshape", .parse = parse_reshape, .infer = infer_shape, .is_view = true};
const Op stop_gradient_op{.name = "stop_gradient",
                          .parse = parse_stop_gradient,
                          .infer = infer_shape,
                          .is_view = true,
                          .gradient = no_gradient};
const Op broadcast_to_op{.name = "broadcast_to",
                         .parse = parse_broadcast,
                         .infer = infer_shape,
                         .kernels = kBroadcastKernels,
                         .gradient = broadcast_gradient};

}  // namespace fastcnn

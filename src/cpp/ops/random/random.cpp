#include "ops/random/random.h"

#include <cmath>
#include <limits>

#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

constexpr double kSteps = 16777216.0;  // 2^24

RandomSource parse_source(AttrReader& attrs) {
  RandomSource s;
  const std::int64_t stream = attrs.integer("stream", 0);
  require(stream >= 0 && stream <= std::numeric_limits<std::uint32_t>::max(), ErrorKind::Config, attrs.op(),
          ": stream: expected an integer from 0 to 2^32 - 1, got ", stream);
  s.stream = static_cast<std::uint32_t>(stream);
  s.own_seed = attrs.has("seed");
  s.seed = attrs.integer("seed", 0);
  return s;
}

Shape parse_shape(AttrReader& attrs) {
  const std::vector<std::int64_t> sizes = attrs.integers("shape", {});
  require(sizes.size() <= static_cast<std::size_t>(kMaxRank), ErrorKind::Shape, attrs.op(),
          ": shape: expected at most ", kMaxRank, " dimensions, got ", sizes.size());
  Shape shape;
  for (const std::int64_t n : sizes) {
    require(n >= 0, ErrorKind::Shape, attrs.op(), ": shape: expected sizes >= 0, got ", n);
    shape.push_back(n);
  }
  return shape;
}

float finite(AttrReader& attrs, const char* name, double fallback) {
  const double x = attrs.number(name, fallback);
  const float f = static_cast<float>(x);
  require(std::isfinite(f), ErrorKind::Config, attrs.op(), ": ", name, ": expected a finite number, got ", x);
  return f;
}

void require_key(const char* op, const TensorType& type) {
  require(type.dtype == DType::I64, ErrorKind::DType, op, ": the key must be int64, got ", dtype_name(type.dtype));
  require(type.shape.rank == 1 && type.shape[0] == 2, ErrorKind::Shape, op,
          ": the key must have shape (2,), got shape ", type.shape);
}

void require_size(const char* op, const Shape& shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 34;
  std::int64_t size = 1;
  for (int i = 0; i < shape.rank; ++i) {
    if (shape[i] == 0) return;
    require(shape[i] <= kMost / size, ErrorKind::Shape, op, ": expected at most 2^34 elements, got shape ", shape);
    size *= shape[i];
  }
}

Params parse_dropout(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  DropoutParams p;
  p.source = parse_source(attrs);
  const double rate = attrs.number("rate", 0.5);
  require(rate >= 0 && rate <= 1, ErrorKind::Config, attrs.op(), ": rate: expected a number from 0 to 1, got ", rate);
  p.threshold = static_cast<float>(std::ceil(rate * kSteps));
  p.scale = rate < 1 ? static_cast<float>(1.0 / (1.0 - rate)) : 0.0f;
  return Params(p);
}

std::vector<TensorType> infer_dropout(const Params&, std::span<const TensorType> inputs) {
  require_f32("dropout", inputs.first(1));
  require_key("dropout", inputs[1]);
  require_size("dropout", inputs[0].shape);
  return {inputs[0]};
}

Params parse_uniform(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  RandomUniformParams p;
  p.source = parse_source(attrs);
  p.shape = parse_shape(attrs);
  p.low = finite(attrs, "low", 0.0);
  const float high = finite(attrs, "high", 1.0);
  p.range = high - p.low;
  require(p.range >= 0 && std::isfinite(p.range), ErrorKind::Config, attrs.op(),
          ": expected low <= high and a finite range, got ", p.low, " and ", high);
  p.last = high > p.low ? std::nextafter(high, p.low) : high;
  return Params(p);
}

Params parse_normal(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  RandomNormalParams p;
  p.source = parse_source(attrs);
  p.shape = parse_shape(attrs);
  p.mean = finite(attrs, "mean", 0.0);
  p.stddev = finite(attrs, "stddev", 1.0);
  require(p.stddev >= 0, ErrorKind::Config, attrs.op(), ": stddev: expected a number >= 0, got ", p.stddev);
  return Params(p);
}

template <class P>
std::vector<TensorType> infer_drawn(const Params& params, std::span<const TensorType> inputs) {
  constexpr const char* kName = std::is_same_v<P, RandomUniformParams> ? "random_uniform" : "random_normal";
  require_key(kName, inputs[0]);
  require_size(kName, params.as<P>().shape);
  return {f32(params.as<P>().shape)};
}

// ---- gradients ------------------------------------------------------------------------------

void dropout_gradient(NodeGradient& node) {
  node.set(0, node.add(dropout_op, node.params(), {node.upstream(), node.input(1)}));
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kDropoutKernels[] = {
#if FC_X86
    {.name = "dropout_f32_avx512", .isa = Isa::Avx512, .run = avx512::dropout},
    {.name = "dropout_f32_avx2", .isa = Isa::Avx2, .run = avx2::dropout},
#endif
    {.name = "dropout_f32_ref", .run = ref::dropout},
};
constexpr KernelInfo kUniformKernels[] = {
#if FC_X86
    {.name = "random_uniform_f32_avx512", .isa = Isa::Avx512, .run = avx512::random_uniform},
    {.name = "random_uniform_f32_avx2", .isa = Isa::Avx2, .run = avx2::random_uniform},
#endif
    {.name = "random_uniform_f32_ref", .run = ref::random_uniform},
};
constexpr KernelInfo kNormalKernels[] = {
#if FC_X86
    {.name = "random_normal_f32_avx512", .isa = Isa::Avx512, .run = avx512::random_normal},
    {.name = "random_normal_f32_avx2", .isa = Isa::Avx2, .run = avx2::random_normal},
#endif
    {.name = "random_normal_f32_ref", .run = ref::random_normal},
};

}  // namespace

const Op dropout_op{.name = "dropout",
                    .parse = parse_dropout,
                    .infer = infer_dropout,
                    .kernels = kDropoutKernels,
                    .in_place_operands = 1,
                    .gradient = dropout_gradient};
const Op random_uniform_op{.name = "random_uniform",
                           .parse = parse_uniform,
                           .infer = infer_drawn<RandomUniformParams>,
                           .kernels = kUniformKernels,
                           .gradient = no_gradient};
const Op random_normal_op{.name = "random_normal",
                          .parse = parse_normal,
                          .infer = infer_drawn<RandomNormalParams>,
                          .kernels = kNormalKernels,
                          .gradient = no_gradient};

}  // namespace fastcnn

#include "ops/convert/convert.h"

#include <cstring>

#include "ops/convert/convert_item.h"
#include "ops/dtype_switch.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_cast(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  CastParams p;
  // In the order of the enumeration.
  p.dtype = static_cast<DType>(
      attrs.choice("dtype", {"float32", "float64", "int64", "int32", "uint8", "int8", "bool", "bfloat16"}, ""));
  return Params(p);
}

std::vector<TensorType> infer_cast(const Params& params, std::span<const TensorType> inputs) {
  return {{params.as<CastParams>().dtype, inputs[0].shape}};
}

Params parse_one_hot(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  OneHotParams p;
  p.depth = attrs.integer("depth", 0);
  require(p.depth >= 1, ErrorKind::Config, attrs.op(), ": depth: expected at least one class, got ", p.depth);
  return Params(p);
}

std::vector<TensorType> infer_one_hot(const Params& params, std::span<const TensorType> inputs) {
  const TensorType& labels = inputs[0];
  require(labels.dtype == DType::I64 || labels.dtype == DType::I32 || labels.dtype == DType::U8, ErrorKind::DType,
          "one_hot: expected labels of dtype int64, int32 or uint8, got ", labels);
  require(labels.shape.rank < kMaxRank, ErrorKind::Shape, "one_hot: at most ", kMaxRank - 1, " dimensions, got shape ",
          labels.shape);
  Shape y = labels.shape;
  y.push_back(params.as<OneHotParams>().depth);
  return {f32(y)};
}

// ---- gradients ------------------------------------------------------------------------------

// Other dtypes than float32 carry no gradient.
void cast_rule(NodeGradient& node) {
  if (node.params().as<CastParams>().dtype == DType::F32) node.set(0, node.upstream());
}

// ---- kernels --------------------------------------------------------------------------------

constexpr std::int64_t kTask = 32768;  // elements

// Of bfloat16 too.
template <class Body>
void with_any_dtype(DType dtype, const Body& body) {
  if (dtype == DType::BF16) return body(Bf16{});
  with_dtype(dtype, body);
}

void run_cast(const KernelArgs& args) {
  with_any_dtype(args.in[0].type.dtype, [&](auto from) {
    with_any_dtype(args.out[0].type.dtype, [&](auto to) {
      const auto* x = args.in[0].as<decltype(from)>();
      auto* y = args.out[0].as<decltype(to)>();
      parallel_ranges(args.out[0].shape().size(), kTask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = convert<decltype(to)>(x[i]);
      });
    });
  });
}

void run_one_hot(const KernelArgs& args) {
  const std::int64_t depth = args.problem.as<OneHotParams>().depth;
  const Tensor& labels = args.in[0];
  float* y = args.out[0].as<float>();
  with_dtype(labels.type.dtype, [&](auto kind) {
    const auto* label = labels.as<decltype(kind)>();
    parallel_ranges(labels.shape().size(), max_i64(1, kTask / depth), [&](std::int64_t begin, std::int64_t end) {
      std::memset(y + begin * depth, 0, static_cast<std::size_t>((end - begin) * depth) * sizeof(float));
      for (std::int64_t i = begin; i < end; ++i) {
        const auto k = static_cast<std::int64_t>(label[i]);
        if (k >= 0 && k < depth) y[i * depth + k] = 1.0f;
      }
    });
  });
}

const char* not_of_storage(const Problem& problem) {
  const auto stored = [](const TensorType& type) { return type.dtype == DType::F32 || type.dtype == DType::BF16; };
  return stored(problem.inputs[0]) && stored(problem.outputs[0]) ? nullptr : "not from float32 or bfloat16 to these";
}

// Plain loops: the compiler makes vectors of the common conversions, and memory bounds them.
constexpr KernelInfo kCastKernels[] = {
#if FC_X86
    {.name = "cast_storage_avx512",
     .isa = Isa::Avx512,
     .run = avx512::cast_storage,
     .declines = not_of_storage,
     .bf16_picture = true,
     .bf16_result = true},
    {.name = "cast_storage_avx2",
     .isa = Isa::Avx2,
     .run = avx2::cast_storage,
     .declines = not_of_storage,
     .bf16_picture = true,
     .bf16_result = true},
#endif
    {.name = "cast_any_ref", .run = run_cast, .bf16_picture = true, .bf16_result = true},
};
constexpr KernelInfo kOneHotKernels[] = {{.name = "one_hot_f32_ref", .run = run_one_hot}};

}  // namespace

const Op cast_op{
    .name = "cast", .parse = parse_cast, .infer = infer_cast, .kernels = kCastKernels, .gradient = cast_rule};
const Op one_hot_op{.name = "one_hot",
                    .parse = parse_one_hot,
                    .infer = infer_one_hot,
                    .kernels = kOneHotKernels,
                    .gradient = no_gradient};

}  // namespace fastcnn

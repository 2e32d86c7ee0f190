// Between kinds of numbers (the contract: ops/convert/convert.h).
#include "ops/convert/convert.h"

#include "core/elementwise.cuh"
#include "ops/convert/convert_item.h"
#include "ops/dtype_switch.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kCast = "cast_any_cuda", *kOneHot = "one_hot_f32_cuda";

template <class To, class From>
__device__ __forceinline__ void convert_group(const Four<From>& v, void* y, const Group& g) {
  Four<To> to;
#pragma unroll
  for (int i = 0; i < kGroup; ++i) to.at[i] = convert<To>(v.at[i]);
  store(static_cast<To*>(y), g, to);
}

// Computes   cast.
// Layout     one run of elements.
// Threads    each_group's; 32 registers.
// Why        a kernel for each dtype to cast from; that to cast to is a switch outside of the group's loop.
// Bound      memory; the device's double units to and from float64.
template <class From>
struct Cast {
  const From* x;
  void* y;
  DType dtype;

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Four<From> v = load(x, g);
    switch (dtype) {
      case DType::F32: return convert_group<float>(v, y, g);
      case DType::F64: return convert_group<double>(v, y, g);
      case DType::I64: return convert_group<std::int64_t>(v, y, g);
      case DType::I32: return convert_group<std::int32_t>(v, y, g);
      case DType::U8: return convert_group<std::uint8_t>(v, y, g);
      case DType::S8: return convert_group<std::int8_t>(v, y, g);
      case DType::Bool: return convert_group<bool>(v, y, g);
      case DType::BF16: return convert_group<Bf16>(v, y, g);
    }
  }
};

// Computes   one_hot.
// Layout     labels, and their rows of `depth` results.
// Threads    each_group's, over the results; 32 registers.
// Why        results are far more than labels: they are written in order, whole vectors at a time, and a label comes
//            from the cache for all but the first of its row.
// Bound      memory.
template <class Label>
struct OneHot {
  const Label* labels;
  float* y;
  std::int64_t depth;
  Divisor rows;

  __device__ __forceinline__ void operator()(const Group& g) const {
    std::int64_t column, row = rows.divide(g.first, &column);
    Four<float> v;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      v.at[i] = i < g.count && static_cast<std::int64_t>(labels[row]) == column ? 1.0f : 0.0f;
      if (++column == depth) column = 0, ++row;
    }
    store(y, g, v);
  }
};

template <class From>
void cast_from(const KernelArgs& args) {
  const auto* x = args.in[0].as<From>();
  void* y = args.out[0].data;
  run_groups(kCast, args, args.out[0].shape().size(), Cast<From>{x, y, args.out[0].type.dtype}, {x, y});
}

void cast(const KernelArgs& args) {
  if (args.in[0].type.dtype == DType::BF16) return cast_from<Bf16>(args);
  with_dtype(args.in[0].type.dtype, [&](auto from) { cast_from<decltype(from)>(args); });
}

template <class Label>
void one_hot_of(const KernelArgs& args) {
  const std::int64_t depth = args.problem.as<OneHotParams>().depth;
  const auto* labels = args.in[0].as<Label>();
  float* y = args.out[0].as<float>();
  run_groups(kOneHot, args, args.out[0].shape().size(), OneHot<Label>{labels, y, depth, Divisor(depth)}, {y});
}

void one_hot(const KernelArgs& args) {
  switch (args.in[0].type.dtype) {
    case DType::I64: return one_hot_of<std::int64_t>(args);
    case DType::I32: return one_hot_of<std::int32_t>(args);
    default: return one_hot_of<std::uint8_t>(args);
  }
}

constexpr KernelInfo kCastRows[] = {
    {.name = kCast, .device = Device::Cuda, .run = cast, .bf16_picture = true, .bf16_result = true}};
constexpr KernelInfo kOneHotRows[] = {{.name = kOneHot, .device = Device::Cuda, .run = one_hot}};
constexpr OpRows kRows[] = {{"cast", kCastRows}, {"one_hot", kOneHotRows}};

}  // namespace

std::span<const OpRows> convert_rows() { return kRows; }

}  // namespace fastcnn::cuda

// topk on a device: a sort of every row that keeps k items (core/merge_sort.cuh), then the values they stand for.
#include "ops/top_k/top_k.h"

#include "core/merge_sort.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

// The bits of a number as an unsigned one of the same order; 0 and -0 are one, NaN is above all.
__device__ __forceinline__ std::uint64_t ordered(float v) {
  const std::uint32_t bits = __float_as_uint(v + 0.0f);
  return v != v ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ std::uint64_t ordered(double v) {
  const auto bits = static_cast<std::uint64_t>(__double_as_longlong(v + 0.0));
  return v != v ? ~std::uint64_t{0} : bits >> 63 ? ~bits : bits | std::uint64_t{1} << 63;
}
__device__ __forceinline__ std::uint64_t ordered(std::int64_t v) {
  return static_cast<std::uint64_t>(v) ^ std::uint64_t{1} << 63;
}
__device__ __forceinline__ std::uint64_t ordered(std::int32_t v) { return static_cast<std::uint32_t>(v) ^ 0x80000000u; }

// Row r of x runs along the axis, `inner` elements from one to the next.
struct TopKSource {
  const void* x;
  std::int64_t size, inner;
  Divisor by_inner;
  DType dtype;
  bool largest;

  __device__ __forceinline__ std::int64_t offset(std::int64_t row, std::int64_t at) const {
    std::int64_t within;
    const std::int64_t outer = by_inner.divide(row, &within);
    return (outer * size + at) * inner + within;
  }
  template <class Item>
  __device__ __forceinline__ Item operator()(Item kind, std::int64_t row, std::int64_t at) const {
    const std::int64_t i = offset(row, at);
    std::uint64_t key = 0, all = 0xffffffffu;
    switch (dtype) {
      case DType::F32: key = ordered(static_cast<const float*>(x)[i]); break;
      case DType::I32: key = ordered(static_cast<const std::int32_t*>(x)[i]); break;
      case DType::U8: key = ordered(static_cast<std::int32_t>(static_cast<const std::uint8_t*>(x)[i])); break;
      case DType::S8: key = ordered(static_cast<std::int32_t>(static_cast<const std::int8_t*>(x)[i])); break;
      case DType::F64: key = ordered(static_cast<const double*>(x)[i]), all = ~std::uint64_t{0}; break;
      case DType::I64: key = ordered(static_cast<const std::int64_t*>(x)[i]), all = ~std::uint64_t{0}; break;
      case DType::Bool:
      case DType::BF16: break;  // the op refuses them
    }
    return make_item(kind, largest ? key ^ all : key, at);
  }
};

// Computes   values and indices of the results from the items in order.
// Layout     results [outer][k][inner], items [row][pitch]; one thread a result.
// Bound by   memory.
template <class Item, class Bits>
__global__ void __launch_bounds__(kSortThreads) finish(TopKSource source, SortPlan plan, const Item* __restrict__ items,
                                                       Bits* __restrict__ values, std::int64_t* __restrict__ indices) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kSortThreads + threadIdx.x;
  if (i >= plan.rows * plan.keep) return;
  std::int64_t within, place;
  const std::int64_t outer = plan.by_keep.divide(source.by_inner.divide(i, &within), &place);
  const std::int64_t row = outer * source.inner + within, at = item_index(items[row * plan.pitch + place]);
  values[i] = static_cast<const Bits*>(source.x)[source.offset(row, at)];
  indices[i] = at;
}

struct Lines {
  std::int64_t rows, size, inner;
};

Lines lines_of(const TensorType& x, const TopKParams& p) {
  const int axis = static_cast<int>(p.axis);
  const std::int64_t inner = x.shape.product(axis + 1, x.shape.rank);
  return {x.shape.product(0, axis) * inner, x.shape[axis], inner};
}

bool is_narrow(const TensorType& x, std::int64_t size) { return item_size(x.dtype) <= 4 && fits_narrow(size); }

template <class Item>
void run_with(const KernelArgs& args) {
  const auto& p = args.problem.as<TopKParams>();
  const TensorType& x = args.in[0].type;
  const Lines lines = lines_of(x, p);
  const SortPlan plan = plan_sort<Item>(lines.rows, lines.size, p.k);
  auto* items = static_cast<Item*>(args.workspace);
  auto* swap = reinterpret_cast<Item*>(static_cast<unsigned char*>(args.workspace) + sort_bytes<Item>(plan));
  const TopKSource source{args.in[0].data, lines.size, lines.inner, Divisor(lines.inner), x.dtype, p.largest != 0};
  items = sort_rows("topk_any_cuda", args, plan, source, items, swap);

  const Grid grid{dim3(static_cast<unsigned>(ceil_div(lines.rows * p.k, kSortThreads))), dim3(kSortThreads)};
  const auto write = [&](auto bits) {
    using Bits = decltype(bits);
    launch("topk_any_cuda", finish<Item, Bits>, grid, args, source, plan, items, args.out[0].as<Bits>(),
           args.out[1].as<std::int64_t>());
  };
  switch (item_size(x.dtype)) {
    case 1: return write(std::uint8_t{});
    case 4: return write(std::uint32_t{});
    default: return write(std::uint64_t{});
  }
}

void run(const KernelArgs& args) {
  const TensorType& x = args.in[0].type;
  if (is_narrow(x, lines_of(x, args.problem.as<TopKParams>()).size))
    run_with<NarrowItem>(args);
  else
    run_with<WideItem>(args);
}

std::int64_t workspace(const Problem& problem) {
  const auto& p = problem.as<TopKParams>();
  const Lines lines = lines_of(problem.inputs[0], p);
  return 2 * (is_narrow(problem.inputs[0], lines.size)
                  ? sort_bytes<NarrowItem>(plan_sort<NarrowItem>(lines.rows, lines.size, p.k))
                  : sort_bytes<WideItem>(plan_sort<WideItem>(lines.rows, lines.size, p.k)));
}

constexpr KernelInfo kRows[] = {{.name = "topk_any_cuda", .device = Device::Cuda, .run = run, .workspace = workspace}};
constexpr OpRows kOps[] = {{"topk", kRows}};

}  // namespace

std::span<const OpRows> top_k_rows() { return kOps; }

}  // namespace fastcnn::cuda

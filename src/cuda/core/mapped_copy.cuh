// Computes   y[i0, i1, ...] = x[source0(i0), source1(i1), ...], and `fill` where an axis has no source: what pad and
//            the gradient of slice are. An Axis tells the source of an output position along it, -1 for none.
// Layout     contiguous tensors; items of 1, 2, 4, 8 or 16 bytes, as wide as the run of untouched inner axes allows.
// Tile       256 threads, 4 items each, 256 apart.
// Why        each output is written once, by neighbouring threads; what is not a copy costs no pass of its own.
// Bound by   memory.
// Needs      nothing.
// Accuracy   exact.
#pragma once

#include "core/divide.cuh"
#include "core/strided_copy.h"

namespace fastcnn::cuda {

// The axes of y, innermost first, up to the outermost one.
template <class Axis>
struct MappedAxes {
  int rank = 0;
  Divisor size[kMaxRank];       // of y
  std::int64_t step[kMaxRank];  // of x, bytes
  Axis axis[kMaxRank];
};

namespace mapped {
inline constexpr int kThreads = 256, kItems = 4;
}

template <class Item, class Axis>
__global__ __launch_bounds__(mapped::kThreads) void map_items(const unsigned char* x, Item* y,
                                                              const MappedAxes<Axis> axes, std::int64_t count,
                                                              Item fill) {
  using namespace mapped;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (kThreads * kItems) + threadIdx.x;
  Item item[kItems];
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    std::int64_t index = first + k * kThreads, offset = 0;
    item[k] = fill;
    bool inside = index < count;
    for (int a = 0; inside && a < axes.rank; ++a) {
      std::int64_t i;
      index = axes.size[a].divide(index, &i);
      const std::int64_t source = axes.axis[a].source(i);
      inside = source >= 0;
      offset += source * axes.step[a];
    }
    if (inside) item[k] = *reinterpret_cast<const Item*>(x + offset);
  }
#pragma unroll
  for (int k = 0; k < kItems; ++k)
    if (first + k * kThreads < count) y[first + k * kThreads] = item[k];
}

// y from x. axis(i) is axis i's; `plain(i)` tells that it copies the whole axis as it is. `value`: one item of the
// dtype.
template <class Axis, class AxisOf, class Plain>
void mapped_copy(const char* name, const KernelArgs& args, const AxisOf& axis, const Plain& plain,
                 const unsigned char* value) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t dtype_bytes = item_size(args.in[0].type.dtype);
  int last = y.rank;  // the axes from here on are one run
  while (last > 0 && plain(last - 1)) --last;
  const std::int64_t run = y.product(last, y.rank) * dtype_bytes;
  const std::int64_t wide = widest_item(args.in[0].data, args.out[0].data, run);
  const std::int64_t items = run / wide;

  MappedAxes<Axis> axes;
  const auto add = [&](std::int64_t size, std::int64_t step, const Axis& a) {
    axes.size[axes.rank] = Divisor(size), axes.step[axes.rank] = step, axes.axis[axes.rank] = a;
    ++axes.rank;
  };
  if (items > 1) add(items, wide, Axis());
  for (int i = last - 1; i >= 0; --i) add(y[i], dtype_bytes * x.product(i + 1, x.rank), axis(i));

  unsigned char pattern[16];
  for (int i = 0; i < 16; ++i) pattern[i] = value[i % dtype_bytes];
  with_item(wide, [&](auto type) {
    using Item = decltype(type);
    Item fill;
    __builtin_memcpy(&fill, pattern, sizeof fill);
    const std::int64_t count = y.product(0, last) * items, blocks = ceil_div(count, mapped::kThreads * mapped::kItems);
    launch(name, map_items<Item, Axis>, {static_cast<unsigned>(blocks), mapped::kThreads}, args,
           args.in[0].as<unsigned char>(), args.out[0].as<Item>(), axes, count, fill);
  });
}

}  // namespace fastcnn::cuda

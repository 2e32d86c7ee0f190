// y = condition != 0 ? a : b (the contract: ops/where/where.h).
#include "ops/where/where.h"

#include "core/elementwise.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "where_any_cuda";

// Computes   y = condition != 0 ? a : b with broadcasting.
// Layout     three operands as one loop nest; Item is what has the items' size.
// Threads    each_group's; 64 registers.
// Why        both operands are read: choosing first whose memory to touch would make loads wait for the condition.
// Bound      memory.
template <class Item>
struct Where {
  const void* condition;
  const Item *a, *b;
  Item* y;
  Walk<3> walk;
  bool of_floats;  // the condition; else of bytes

  template <class T>
  __device__ __forceinline__ Four<bool> chosen(const Group& g, const Positions<3>& places) const {
    const Four<T> c = load<0>(static_cast<const T*>(condition), g, walk, places);
    return {c.at[0] != T(), c.at[1] != T(), c.at[2] != T(), c.at[3] != T()};
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<3> places = walk.places(g);
    const Four<bool> c = of_floats ? chosen<float>(g, places) : chosen<std::uint8_t>(g, places);
    Four<Item> yes = load<1>(a, g, walk, places);
    const Four<Item> no = load<2>(b, g, walk, places);
#pragma unroll
    for (int i = 0; i < kGroup; ++i) yes.at[i] = c.at[i] ? yes.at[i] : no.at[i];
    store(y, g, yes);
  }
};

template <class Item>
void run_items(const KernelArgs& args) {
  const Tensor *in = args.in, &out = args.out[0];
  const Where<Item> body{in[0].data,
                         in[1].as<Item>(),
                         in[2].as<Item>(),
                         out.as<Item>(),
                         Walk<3>({&in[0].shape(), &in[1].shape(), &in[2].shape()}, out.shape()),
                         in[0].type.dtype == DType::F32};
  run_groups(kName, args, out.shape().size(), body, {body.condition, body.a, body.b, body.y});
}

void run(const KernelArgs& args) {
  switch (item_size(args.out[0].type.dtype)) {
    case 1: return run_items<std::uint8_t>(args);
    case 4: return run_items<std::uint32_t>(args);
    default: return run_items<std::uint64_t>(args);
  }
}

constexpr KernelInfo kWhere[] = {{.name = kName, .device = Device::Cuda, .run = run}};
constexpr OpRows kRows[] = {{"where", kWhere}};

}  // namespace

std::span<const OpRows> where_rows() { return kRows; }

}  // namespace fastcnn::cuda

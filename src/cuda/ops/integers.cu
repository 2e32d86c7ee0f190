// Element-wise functions of two integers (the contract: ops/integers/integers.h).
#include "ops/integers/integers.h"

#include <type_traits>

#include "core/elementwise.cuh"
#include "ops/dtype_switch.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "integer_binary_any_cuda";

// Computes   y = a op b with broadcasting.
// Layout     operands of any shapes as the merged loop nest of binary.h.
// Threads    each_group's; 56 registers.
// Why        one function in 64 bits for all dtypes, the CPU's; it is long, so the loop over the group is not unrolled.
// Bound      memory, but for divisions and powers.
template <class T>
struct Integers {
  const T *a, *b;
  void* y;
  Walk<2> walk;
  IntegerKind kind;

  template <class To>
  __device__ __forceinline__ void store_as(const Group& g, const Four<std::int64_t>& v) const {
    Four<To> r;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) r.at[i] = static_cast<To>(v.at[i]);
    store(static_cast<To*>(y), g, r);
  }

  __device__ __forceinline__ void operator()(const Group& g) const {
    const Positions<2> places = walk.places(g);
    Four<T> u = load<0>(a, g, walk, places), v = load<1>(b, g, walk, places);
    Four<std::int64_t> r = {};
#pragma unroll 1
    for (int i = 0; i < kGroup; ++i) {
      rotate(r, evaluate(kind, static_cast<std::int64_t>(u.at[0]), static_cast<std::int64_t>(v.at[0])));
      rotate(u, u.at[0]);
      rotate(v, v.at[0]);
    }
    compares(kind) ? store_as<bool>(g, r) : store_as<T>(g, r);
  }
};

void run(const KernelArgs& args) {
  with_dtype(args.in[0].type.dtype, [&](auto kind) {
    using T = decltype(kind);
    if constexpr (!std::is_floating_point_v<T>) {
      const Tensor *in = args.in, &out = args.out[0];
      const Integers<T> body{in[0].as<T>(), in[1].as<T>(), out.data,
                             Walk<2>({&in[0].shape(), &in[1].shape()}, out.shape()),
                             args.problem.as<IntegerParams>().kind};
      run_groups(kName, args, out.shape().size(), body, {body.a, body.b, body.y});
    }
  });
}

constexpr KernelInfo kInteger[] = {{.name = kName, .device = Device::Cuda, .run = run}};
constexpr OpRows kRows[] = {{"integer_binary", kInteger}};

}  // namespace

std::span<const OpRows> integers_rows() { return kRows; }

}  // namespace fastcnn::cuda

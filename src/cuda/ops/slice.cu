// The CUDA rows of slice and of its gradient (the contract: ops/slice/slice.h).
#include "ops/slice/slice.h"

#include "core/mapped_copy.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kSlice = "slice_any_cuda", *kGradient = "slice_gradient_any_cuda";

void run_slice(const KernelArgs& args) {
  strided_copy(kSlice, args, slice_box(args.problem.as<SliceParams>(), args.in[0], args.out[0]));
}

// Position i of x was read as element (i - begin) / step of dy's axis, if at all. By default a whole axis.
struct SlicedAxis {
  std::int64_t begin = 0, size = INT64_MAX;
  Divisor step;
  bool backwards = false;
  __device__ __forceinline__ std::int64_t source(std::int64_t i) const {
    const std::int64_t distance = backwards ? begin - i : i - begin;
    if (distance < 0) return -1;
    std::int64_t between;
    const std::int64_t k = step.divide(distance, &between);
    return between == 0 && k < size ? k : -1;
  }
};

void run_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<SliceGradientParams>().slice;
  const Shape& x = args.out[0].shape();
  const auto axis = [&](int i) {
    const bool backwards = p.step[i] < 0;
    return SlicedAxis{p.begin[i], p.size[i], Divisor(backwards ? -p.step[i] : p.step[i]), backwards};
  };
  const auto plain = [&](int i) { return p.begin[i] == 0 && p.size[i] == x[i] && (p.step[i] == 1 || x[i] == 1); };
  constexpr unsigned char kZero[sizeof(std::int64_t)] = {};
  mapped_copy<SlicedAxis>(kGradient, args, axis, plain, kZero);
}

constexpr KernelInfo kSliceRows[] = {{.name = kSlice, .device = Device::Cuda, .run = run_slice}};
constexpr KernelInfo kGradientRows[] = {{.name = kGradient, .device = Device::Cuda, .run = run_gradient}};
constexpr OpRows kOps[] = {{"slice", kSliceRows}, {"slice_gradient", kGradientRows}};

}  // namespace

std::span<const OpRows> slice_rows() { return kOps; }

}  // namespace fastcnn::cuda

// The CUDA row of pad (the contract: ops/pad/pad.h).
#include "ops/pad/pad.h"

#include "core/mapped_copy.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "pad_any_cuda";

// By default an axis without padding, of whatever size.
struct PadAxis {
  std::int64_t before = 0, n = INT64_MAX;
  PadMode mode = PadMode::Constant;
  __device__ __forceinline__ std::int64_t source(std::int64_t i) const { return pad_source(mode, i - before, n); }
};

void run_pad(const KernelArgs& args) {
  const auto& p = args.problem.as<PadParams>();
  const auto axis = [&](int i) { return PadAxis{p.before[i], args.in[0].shape()[i], p.mode}; };
  const auto plain = [&](int i) { return p.before[i] == 0 && p.after[i] == 0; };
  mapped_copy<PadAxis>(kName, args, axis, plain, p.value);
}

constexpr KernelInfo kRows[] = {{.name = kName, .device = Device::Cuda, .run = run_pad}};
constexpr OpRows kOps[] = {{"pad", kRows}};

}  // namespace

std::span<const OpRows> pad_rows() { return kOps; }

}  // namespace fastcnn::cuda

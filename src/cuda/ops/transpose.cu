// The CUDA row of transpose (the contract: ops/transpose/transpose.h).
#include "ops/transpose/transpose.h"

#include "core/strided_copy.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "transpose_any_cuda";

void run_transpose(const KernelArgs& args) {
  strided_copy(kName, args, transpose_box(args.problem.as<TransposeParams>(), args.in[0], args.out[0]));
}

constexpr KernelInfo kRows[] = {{.name = kName, .device = Device::Cuda, .run = run_transpose}};
constexpr OpRows kOps[] = {{"transpose", kRows}};

}  // namespace

std::span<const OpRows> transpose_rows() { return kOps; }

}  // namespace fastcnn::cuda

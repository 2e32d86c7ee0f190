// The CUDA row of concat (the contract: ops/concat/concat.h).
#include "ops/concat/concat.h"

#include "core/strided_copy.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "concat_any_cuda";

void run_concat(const KernelArgs& args) {
  concat_boxes(args, [&](const StridedCopy& box) { strided_copy(kName, args, box); });
}

constexpr KernelInfo kRows[] = {{.name = kName, .device = Device::Cuda, .run = run_concat}};
constexpr OpRows kOps[] = {{"concat", kRows}};

}  // namespace

std::span<const OpRows> concat_rows() { return kOps; }

}  // namespace fastcnn::cuda

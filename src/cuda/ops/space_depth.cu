// The CUDA rows of space_to_depth and depth_to_space (the contract: ops/space_depth/space_depth.h).
#include "ops/space_depth/space_depth.h"

#include "core/strided_copy.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char *kToDepth = "space_to_depth_any_cuda", *kToSpace = "depth_to_space_any_cuda";

void run_to_depth(const KernelArgs& args) {
  strided_copy(kToDepth, args, to_depth_box(args.problem.as<SpaceDepthParams>(), args.in[0], args.out[0]));
}

void run_to_space(const KernelArgs& args) {
  strided_copy(kToSpace, args, to_space_box(args.problem.as<SpaceDepthParams>(), args.in[0], args.out[0]));
}

constexpr KernelInfo kToDepthRows[] = {{.name = kToDepth, .device = Device::Cuda, .run = run_to_depth}};
constexpr KernelInfo kToSpaceRows[] = {{.name = kToSpace, .device = Device::Cuda, .run = run_to_space}};
constexpr OpRows kOps[] = {{"space_to_depth", kToDepthRows}, {"depth_to_space", kToSpaceRows}};

}  // namespace

std::span<const OpRows> space_depth_rows() { return kOps; }

}  // namespace fastcnn::cuda

// dense and matmul in float32 where an operand is turned.
#include "gemm/ffma.cuh"
#include "ops/dense_product.cuh"

namespace fastcnn::cuda {

void dense_turned(const char* name, const KernelArgs& args) {
  multiply_turned(args, [&](const gemm::Sizes& sizes, const auto& x, const auto& w, const auto& result) {
    gemm::launch_split(name, args, sizes, x, w, result, static_cast<float*>(args.workspace));
  });
}

}  // namespace fastcnn::cuda

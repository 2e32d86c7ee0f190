// dense and matmul on tensor cores where an operand is turned: in small tiles, so that there are not too many kernels.
#include "gemm/mma.cuh"
#include "ops/dense_product.cuh"

namespace fastcnn::cuda {

template <int parts>
void dense_turned_mma(const char* name, const KernelArgs& args) {
  multiply_turned(args, [&](const gemm::Sizes& sizes, const auto& x, const auto& w, const auto& result) {
    gemm::launch_mma<parts, false>(name, args, sizes, x, w, result, static_cast<float*>(args.workspace));
  });
}

template void dense_turned_mma<1>(const char* name, const KernelArgs& args);
template void dense_turned_mma<2>(const char* name, const KernelArgs& args);
template void dense_turned_mma<3>(const char* name, const KernelArgs& args);

}  // namespace fastcnn::cuda

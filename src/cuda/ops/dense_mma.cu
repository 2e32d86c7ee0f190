// dense and matmul on tensor cores.
#include "gemm/mma.cuh"
#include "ops/dense_product.cuh"

namespace fastcnn::cuda {

template <int parts>
void dense_mma(const char* name, const KernelArgs& args) {
  const bool plain =
      multiply_plain(args, [&](const gemm::Sizes& sizes, const auto& x, const auto& w, const auto& result) {
        gemm::launch_mma<parts>(name, args, sizes, x, w, result, static_cast<float*>(args.workspace));
      });
  if (!plain) dense_turned_mma<parts>(name, args);
}

template void dense_mma<1>(const char* name, const KernelArgs& args);
template void dense_mma<2>(const char* name, const KernelArgs& args);
template void dense_mma<3>(const char* name, const KernelArgs& args);

}  // namespace fastcnn::cuda

// conv2d on tensor cores: gemm/mma.cuh over the functors of conv2d_product.cuh.
#include "gemm/mma.cuh"
#include "ops/conv2d_product.cuh"

namespace fastcnn::cuda {

template <int parts>
void Conv2dMma<parts>::run(const KernelArgs& args) {
  constexpr const char* kNames[] = {"conv2d_f32_bf16_cuda", "conv2d_f32_bf16x3_cuda", "conv2d_f32_bf16x6_cuda"};
  convolve(args, [&](const gemm::Sizes& sizes, const auto& picture, const auto& kernel, const auto& result) {
    gemm::launch_mma<parts>(kNames[parts - 1], args, sizes, picture, kernel, result,
                            static_cast<float*>(args.workspace));
  });
}

template <int parts>
const char* Conv2dMma<parts>::declines(const Problem& problem) {
  const char* reason = gemm::mma_declines();
  return reason != nullptr ? reason : conv2d_declines(problem);
}

template <int parts>
const char* Conv2dMma<parts>::yields(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  if (p.group_channels() % 4 != 0) return "pixels that cannot be read in vectors take longer to split than to multiply";
  return gemm::mma_yields(conv2d_sizes(problem), parts);
}

template struct Conv2dMma<1>;
template struct Conv2dMma<2>;
template struct Conv2dMma<3>;

}  // namespace fastcnn::cuda

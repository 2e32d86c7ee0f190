// conv2d_weight_gradient on tensor cores: gemm/mma.cuh over the functors of conv2d_weight_gradient.cuh.
#include "gemm/mma.cuh"
#include "ops/conv2d_weight_gradient.cuh"

namespace fastcnn::cuda {

template <int parts>
void WeightGradientMma<parts>::run(const KernelArgs& args) {
  constexpr const char* kNames[] = {"conv2d_weight_gradient_f32_bf16_cuda", "conv2d_weight_gradient_f32_bf16x3_cuda",
                                    "conv2d_weight_gradient_f32_bf16x6_cuda"};
  sum_outer_products(args, [&](const gemm::Sizes& sizes, const auto& seen, const auto& dy, const auto& dw) {
    gemm::launch_mma<parts>(kNames[parts - 1], args, sizes, seen, dy, dw, static_cast<float*>(args.workspace));
  });
}

template <int parts>
const char* WeightGradientMma<parts>::declines(const Problem& problem) {
  const char* reason = gemm::mma_declines();
  return reason != nullptr ? reason : weight_gradient_declines(problem);
}

template <int parts>
const char* WeightGradientMma<parts>::yields(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  if (p.group_channels() % 4 != 0 || p.group_filters() % 4 != 0)
    return "pixels that cannot be read in vectors take longer to split than to multiply";
  return gemm::mma_yields(weight_gradient_sizes(problem), parts);
}

template struct WeightGradientMma<1>;
template struct WeightGradientMma<2>;
template struct WeightGradientMma<3>;

}  // namespace fastcnn::cuda

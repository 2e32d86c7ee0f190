// conv2d_transpose on tensor cores: gemm/mma.cuh over the functors of conv2d_transpose.cuh.
#include "gemm/mma.cuh"
#include "ops/conv2d_transpose.cuh"

namespace fastcnn::cuda {

template <int parts>
void Conv2dTransposeMma<parts>::run(const KernelArgs& args) {
  constexpr const char* kNames[] = {"conv2d_transpose_f32_bf16_cuda", "conv2d_transpose_f32_bf16x3_cuda",
                                    "conv2d_transpose_f32_bf16x6_cuda"};
  constexpr const char* kName = kNames[parts - 1];
  convolve_transposed(kName, args,
                      [&](const auto& sizes, const auto& windows, const auto& taps, const auto& pixels, float* sums) {
                        gemm::launch_mma<parts>(kName, args, sizes, windows, taps, pixels, sums);
                      });
}

template <int parts>
const char* Conv2dTransposeMma<parts>::declines(const Problem& problem) {
  const char* reason = gemm::mma_declines();
  return reason != nullptr ? reason : conv2d_transpose_declines(problem);
}

// The first phases are as large as any.
template <int parts>
const char* Conv2dTransposeMma<parts>::yields(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  if (p.group_channels() % 4 != 0 || p.group_filters() % 4 != 0)
    return "what cannot be read in vectors takes longer to split than to multiply";
  const auto down = phases_of(p.window.h, p.out_h), across = phases_of(p.window.w, p.out_w);
  return gemm::mma_yields(sizes_of(p, problem.inputs[0].shape[0], down[0], across[0]), parts);
}

template struct Conv2dTransposeMma<1>;
template struct Conv2dTransposeMma<2>;
template struct Conv2dTransposeMma<3>;

}  // namespace fastcnn::cuda

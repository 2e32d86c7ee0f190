// Computes   conv2d's weight gradient as sums of outer products over the pixels, one matrix for each tap.
// Layout     x and dy NHWC, read in place; dy is packed block by block (gemm/README.md). A group is a product of its
//            own.
// Why        no im2col copy: a tap meets whole rows of pixels, those outside the picture being left out.
// Needs      as workspace the partial sums, where few weights have many pixels.
// Accuracy   sums of blocks of pixels, and of chunks of blocks: gemm/outer_simd.inl.
#include "gemm/split_outer.h"
#include "ops/conv2d/conv2d_gradients.h"

#if FC_X86
namespace fastcnn {
namespace {

gemm::OuterProduct product(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  const Shape &x = problem.inputs[0].shape, &y = problem.inputs[1].shape;
  return {.window = p.window,
          .pictures = x[0],
          .groups = p.groups,
          .a = {nullptr, x[1], x[2], x[3]},
          .b = {nullptr, y[1], y[2], y[3]}};
}

}  // namespace

template <const auto& engine>
void WeightGradient<engine>::run(const KernelArgs& args) {
  gemm::OuterProduct p = product(args.problem);
  p.a.data = args.in[0].as<float>();
  p.b.data = args.in[1].as<float>();
  p.c = args.out[0].as<float>();
  gemm::multiply(engine, p, args.workspace);
}

template <const auto& engine>
std::int64_t WeightGradient<engine>::workspace(const Problem& problem) {
  return gemm::workspace(engine, product(problem));
}

template <const gemm::SplitEngine& engine>
const char* weight_gradient_yields(const Problem& problem) {
  return gemm::yields(engine, product(problem));
}

template struct WeightGradient<gemm::avx2::outer_engine>;
template struct WeightGradient<gemm::avx512::outer_engine>;
template struct WeightGradient<gemm::avx512bf16::bf16>;
template struct WeightGradient<gemm::amx::bf16>;
template struct WeightGradient<gemm::amx::bf16x3>;
template struct WeightGradient<gemm::amx::bf16x6>;
template const char* weight_gradient_yields<gemm::avx512bf16::bf16>(const Problem&);
template const char* weight_gradient_yields<gemm::amx::bf16>(const Problem&);
template const char* weight_gradient_yields<gemm::amx::bf16x3>(const Problem&);
template const char* weight_gradient_yields<gemm::amx::bf16x6>(const Problem&);

}  // namespace fastcnn

#endif  // FC_X86

// Computes   conv2d as a matrix product: a row is an output pixel, a column a filter, the sum runs over the window.
// Layout     NHWC in and out, read and written in place (ops/picture_rows.h); weights packed once into panels of
//            filters (gemm/README.md). A group is a product of its own.
// Why        no im2col copy, which for a 3 x 3 kernel would write and read nine times the picture.
// Needs      weights packed by the op of the row's engine; a row of zeros as workspace.
// Accuracy   AVX2 and AVX-512: one chain of fused multiply-adds an output, from the bias on, in the contract's order.
//            In bf16 parts: gemm/gemm_amx.cpp, gemm/gemm_avx512bf16.cpp.
// Source     M. Dukhan, The Indirect Convolution Algorithm, 2019.
#include <cstring>

#include "gemm/split_gemm.h"
#include "ops/picture_rows.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {
namespace {

template <class Engine>
void run(const Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  auto* zeros = static_cast<float*>(args.workspace);
  std::memset(zeros, 0, static_cast<std::size_t>(conv2d_workspace(args.problem)));
  const std::int64_t pixel = args.out[0].pixel_pitch();
  const PictureRows windows(p.window, {args.in[0].as<float>(), x[1], x[2], x[3], p.groups},
                            {y[1], y[2], y[1] * y[2] * pixel, y[2] * pixel, pixel}, zeros);
  gemm::Product product;
  product.rows = y[0] * y[1] * y[2];
  product.columns = p.group_filters();
  product.depth = p.depth();
  product.packed = args.in[1].as<float>();
  product.c = args.out[0].as<float>();
  product.set_epilogue(p.epilogue, EpilogueOperands(p.epilogue, args, 2));
  product.batch = p.groups;
  product.packed_stride = gemm::packed_size(engine, product.depth, product.columns);
  product.c_stride = product.bias_stride = product.columns;
  gemm::multiply(engine, product, windows);
}

template <class Engine>
void pack(const Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const std::int64_t depth = p.depth(), columns = p.group_filters();
  const std::int64_t group_size = gemm::packed_size(engine, depth, columns);
  for (std::int64_t g = 0; g < p.groups; ++g)
    gemm::pack(engine, {args.in[0].as<float>() + g * columns, p.filters, 1, depth, columns},
               args.out[0].as<float>() + g * group_size);
}

}  // namespace

std::int64_t conv2d_workspace(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  return PictureRows::zeros_bytes(p.window, p.group_channels());
}

void avx2::conv2d(const KernelArgs& args) { run(gemm::avx2::engine, args); }
void avx2::conv2d_pack(const KernelArgs& args) { pack(gemm::avx2::engine, args); }
void avx512::conv2d(const KernelArgs& args) { run(gemm::avx512::engine, args); }
void avx512::conv2d_pack(const KernelArgs& args) { pack(gemm::avx512::engine, args); }
void amx::conv2d_bf16x6(const KernelArgs& args) { run(gemm::amx::bf16x6, args); }
void amx::conv2d_bf16x6_pack(const KernelArgs& args) { pack(gemm::amx::bf16x6, args); }
void amx::conv2d_bf16x3(const KernelArgs& args) { run(gemm::amx::bf16x3, args); }
void amx::conv2d_bf16x3_pack(const KernelArgs& args) { pack(gemm::amx::bf16x3, args); }
void amx::conv2d_bf16(const KernelArgs& args) { run(gemm::amx::bf16, args); }
void avx512bf16::conv2d_bf16(const KernelArgs& args) { run(gemm::avx512bf16::bf16, args); }
void avx512bf16::conv2d_bf16_pack(const KernelArgs& args) { pack(gemm::avx512bf16::bf16, args); }

}  // namespace fastcnn

#endif  // FC_X86

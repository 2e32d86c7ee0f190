// Computes   conv2d of a picture that is stored in bfloat16.
// Layout     NHWC; weights row of the window by row, packed as for products in one bf16 part (gemm/README.md).
// Tile       2 x 2 tiles of C (gemm/gemm_amx.cpp), or 14 x 32 numbers of it (gemm/gemm_avx512bf16.cpp).
// Why        tiles are loaded from the picture itself (ops/bf16_windows.cpp): nothing is rounded or copied for a tap.
// Needs      AMX or AVX512-BF16; one group.
// Accuracy   those files: of the stored numbers, products are exact and sums are in float32. The last step of a row of
//            a window multiplies what follows the row by zeros: non-finite pixels there make NaN of the output.
#include "ops/bf16_windows.h"
#include "ops/conv2d/conv2d.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {

const char* conv2d_bf16_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dParams>();
  if (problem.inputs[0].dtype != DType::BF16) return "the picture is not stored in bfloat16";
  if (p.groups != 1) return "takes one group only";
  return bf16_windows_decline(p.window, p.channels, p.filters);
}

template <const gemm::SplitEngine& engine>
void conv2d_bf16_picture(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  const Shape& y = args.out[0].shape();
  const EpilogueOperands operands(p.epilogue, args, 2);
  const std::int64_t pixel = args.out[0].pixel_pitch();
  multiply({.engine = engine,
            .window = p.window,
            .filters = p.filters,
            .x = args.in[0],
            .height = y[1],
            .width = y[2],
            .picture = y[1] * y[2] * pixel,
            .row = y[2] * pixel,
            .pixel = pixel,
            .packed = args.in[1].as<float>(),
            .c = args.out[0].data,
            .residual = operands.residual,
            .bias = operands.bias,
            .bf16_c = p.epilogue.result == DType::BF16,
            .bf16_residual = operands.bf16_residual,
            .activation = p.epilogue.activation,
            .alpha = p.epilogue.alpha});
}

template void conv2d_bf16_picture<gemm::amx::bf16>(const KernelArgs&);
template void conv2d_bf16_picture<gemm::avx512bf16::bf16>(const KernelArgs&);

void conv2d_bf16_picture_pack(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dParams>();
  for (std::int64_t a = 0; a < p.window.h.size; ++a)
    pack_bf16_taps(p.window, p.channels, p.filters,
                   {.a = a,
                    .b = 0,
                    .taps = p.window.w.size,
                    .from = args.in[0].as<float>() + a * p.window.w.size * p.channels * p.filters,
                    .row_stride = p.filters,
                    .column_stride = 1},
                   args.out[0].as<float>());
}

}  // namespace fastcnn

#endif  // FC_X86

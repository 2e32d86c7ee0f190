#include "simd/avx2.h"
#include "ops/conv2d/conv2d_winograd_simd.inl"

namespace fastcnn::winograd::avx2 {

const Transforms f2{.m = 2,
                    .bf16 = false,
                    .blocking = gemm::kAvx2Blocking,
                    .input = input<2>,
                    .multiply = multiply<gemm::avx2::engine>,
                    .output = output<2>,
                    .kernel = kernel<2>};
const Transforms f4{.m = 4,
                    .bf16 = false,
                    .blocking = gemm::kAvx2Blocking,
                    .input = input<4>,
                    .multiply = multiply<gemm::avx2::engine>,
                    .output = output<4>,
                    .kernel = kernel<4>};
const GradientTransforms gradient4{.m = 4,
                                   .tiles = 48,
                                   .in_item = 1,
                                   .engine = &gemm::avx2::outer_engine,
                                   .input = input<4>,
                                   .gradient = gradient<4>,
                                   .weights = weights<4>};

}  // namespace fastcnn::winograd::avx2

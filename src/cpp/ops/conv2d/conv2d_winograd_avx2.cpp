#include "simd/avx2.h"
#include "ops/conv2d/conv2d_winograd_simd.inl"

namespace fastcnn::winograd::avx2 {

const Transforms f2{2, &gemm::avx2::engine, input<2>, output<2>, kernel<2>};
const Transforms f4{4, &gemm::avx2::engine, input<4>, output<4>, kernel<4>};
const GradientTransforms gradient4{4, &gemm::avx2::outer_engine, input<4>, gradient<4>, weights<4>};

}  // namespace fastcnn::winograd::avx2

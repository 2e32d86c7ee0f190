#include "simd/avx2.h"
#include "gemm/outer_simd.inl"

namespace fastcnn::gemm::avx2 {

const OuterEngine outer_engine{kAvx2OuterBlocking,
                               {{outer_tile<1, 1>, outer_tile<1, 2>},
                                {outer_tile<2, 1>, outer_tile<2, 2>},
                                {outer_tile<3, 1>, outer_tile<3, 2>},
                                {outer_tile<4, 1>, outer_tile<4, 2>},
                                {outer_tile<5, 1>, outer_tile<5, 2>},
                                {outer_tile<6, 1>, outer_tile<6, 2>}},
                               pack_strips,
                               pack_panels,
                               sum_parts};

}  // namespace fastcnn::gemm::avx2

#include "simd/avx512.h"
#include "gemm/outer_simd.inl"

namespace fastcnn::gemm::avx512 {

const OuterEngine outer_engine{kAvx512OuterBlocking,
                               {{outer_tile<1, 1>, outer_tile<1, 2>},
                                {outer_tile<2, 1>, outer_tile<2, 2>},
                                {outer_tile<3, 1>, outer_tile<3, 2>},
                                {outer_tile<4, 1>, outer_tile<4, 2>},
                                {outer_tile<5, 1>, outer_tile<5, 2>},
                                {outer_tile<6, 1>, outer_tile<6, 2>},
                                {outer_tile<7, 1>, outer_tile<7, 2>},
                                {outer_tile<8, 1>, outer_tile<8, 2>},
                                {outer_tile<9, 1>, outer_tile<9, 2>},
                                {outer_tile<10, 1>, outer_tile<10, 2>},
                                {outer_tile<11, 1>, outer_tile<11, 2>},
                                {outer_tile<12, 1>, outer_tile<12, 2>}},
                               pack_strips,
                               pack_panels,
                               sum_parts};

}  // namespace fastcnn::gemm::avx512

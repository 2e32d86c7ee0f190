#include "simd/avx2.h"
#include "gemm/short_simd.inl"

namespace fastcnn::gemm::avx2 {

const Engine engine{kAvx2Blocking,
                    {{tile<1, 1>, tile<1, 2>},
                     {tile<2, 1>, tile<2, 2>},
                     {tile<3, 1>, tile<3, 2>},
                     {tile<4, 1>, tile<4, 2>},
                     {tile<5, 1>, tile<5, 2>},
                     {tile<6, 1>, tile<6, 2>}},
                    {tile<12, 1>},
                    {short_rows<8, 1>, short_rows<6, 2>}};

}  // namespace fastcnn::gemm::avx2

#include "simd/avx512.h"
#include "gemm/short_simd.inl"

namespace fastcnn::gemm::avx512 {

const Engine engine{kAvx512Blocking,
                    {{tile<1, 1>, tile<1, 2>, tile<1, 3>, tile<1, 4>},
                     {tile<2, 1>, tile<2, 2>, tile<2, 3>, tile<2, 4>},
                     {tile<3, 1>, tile<3, 2>, tile<3, 3>, tile<3, 4>},
                     {tile<4, 1>, tile<4, 2>, tile<4, 3>, tile<4, 4>},
                     {tile<5, 1>, tile<5, 2>, tile<5, 3>, tile<5, 4>},
                     {tile<6, 1>, tile<6, 2>, tile<6, 3>, tile<6, 4>},
                     {tile<7, 1>, tile<7, 2>, tile<7, 3>, tile<7, 4>}},
                    {tile<14, 1>, tile<14, 2>},
                    {short_rows<8, 1>, short_rows<8, 2>, short_rows<8, 3>, short_rows<6, 4>}};

}  // namespace fastcnn::gemm::avx512

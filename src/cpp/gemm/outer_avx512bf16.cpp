// Computes   micro-tiles of outer products of pairs of pixels in bfloat16 (outer_simd.inl: its loops and its tile).
// Why        both factors are broadcast and read along channels, as where numbers are floats, so that neither is turned
//            (gemm/bf16_pixels.h): whoever writes them pair by pair needs no other layout.
// Needs      AVX512-BF16.
// Accuracy   products are exact, sums of pairs and their addition round to nearest. Factors and sums below 2^-126 count
//            as zero.
#include "simd/avx512.h"
#include "gemm/outer_simd.inl"

namespace fastcnn::gemm::avx512bf16 {
namespace {

using namespace fastcnn::gemm::avx512;

struct Pairs {
  static FC_INLINE F32 add(F32 sum, F32 a, F32 b) { return {_mm512_dpbf16_ps(sum.v, (__m512bh)a.v, (__m512bh)b.v)}; }
};
template <int rows, int vectors>
constexpr auto tile = outer_tile<rows, vectors, Pairs>;

}  // namespace

const OuterEngine outer_engine{kAvx512OuterBlocking,
                               {{tile<1, 1>, tile<1, 2>},
                                {tile<2, 1>, tile<2, 2>},
                                {tile<3, 1>, tile<3, 2>},
                                {tile<4, 1>, tile<4, 2>},
                                {tile<5, 1>, tile<5, 2>},
                                {tile<6, 1>, tile<6, 2>},
                                {tile<7, 1>, tile<7, 2>},
                                {tile<8, 1>, tile<8, 2>},
                                {tile<9, 1>, tile<9, 2>},
                                {tile<10, 1>, tile<10, 2>},
                                {tile<11, 1>, tile<11, 2>},
                                {tile<12, 1>, tile<12, 2>}},
                               nullptr,  // both factors come laid out
                               nullptr,
                               sum_parts};

}  // namespace fastcnn::gemm::avx512bf16

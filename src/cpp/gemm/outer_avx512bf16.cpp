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

}  // namespace

const OuterEngine outer_engine{kAvx512OuterBlocking,
                               outer_tiles<Pairs, false, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>(),
                               {},  // both factors come laid out
                               nullptr,
                               nullptr,
                               sum_parts,
                               nullptr};

}  // namespace fastcnn::gemm::avx512bf16

#include "simd/avx512.h"
#include "gemm/outer_simd.inl"

namespace fastcnn::gemm::avx512 {

const OuterEngine outer_engine{kAvx512OuterBlocking,
                               outer_tiles<Numbers, false, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>(),
                               outer_tiles<Numbers, true, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>(),
                               pack_strips,
                               pack_panels,
                               sum_parts,
                               sum_turned};

}  // namespace fastcnn::gemm::avx512

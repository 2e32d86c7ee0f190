#include "simd/avx2.h"
#include "gemm/outer_simd.inl"

namespace fastcnn::gemm::avx2 {

const OuterEngine outer_engine{kAvx2OuterBlocking,
                               outer_tiles<Numbers, false, 1, 2, 3, 4, 5, 6>(),
                               outer_tiles<Numbers, true, 1, 2, 3, 4, 5, 6>(),
                               pack_strips,
                               pack_panels,
                               sum_parts,
                               sum_turned};

}  // namespace fastcnn::gemm::avx2

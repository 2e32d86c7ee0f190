#include "simd/avx2.h"
#include "ops/affine_transform/affine_transform_simd.inl"

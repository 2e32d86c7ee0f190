#include "simd/avx512.h"
#include "ops/affine_transform/affine_transform_simd.inl"

#include "simd/int8_avx2.h"
#include "ops/distance/distance_simd.inl"
#include "ops/distance/distance_codes_simd.inl"

#include "simd/avx512.h"
#include "ops/distance/distance_simd.inl"

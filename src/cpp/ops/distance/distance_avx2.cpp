#include "simd/avx2.h"
#include "ops/distance/distance_simd.inl"

#include "simd/random_avx512.h"
#include "ops/random/random_simd.inl"

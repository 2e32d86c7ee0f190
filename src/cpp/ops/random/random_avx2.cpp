#include "simd/random_avx2.h"
#include "ops/random/random_simd.inl"

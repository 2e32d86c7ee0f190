#include "simd/avx512.h"
#include "ops/cross_entropy/cross_entropy_simd.inl"

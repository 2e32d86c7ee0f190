#include "simd/avx2.h"
#include "ops/cross_entropy/cross_entropy_simd.inl"

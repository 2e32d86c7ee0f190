#include "simd/avx512.h"
#include "ops/norm/norm_simd.inl"

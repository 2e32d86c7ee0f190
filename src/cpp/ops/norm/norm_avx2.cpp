#include "simd/avx2.h"
#include "ops/norm/norm_simd.inl"

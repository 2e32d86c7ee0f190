#include "simd/avx2.h"
#include "ops/where/where_simd.inl"

#include "simd/avx512.h"
#include "ops/where/where_simd.inl"

#include "simd/avx512.h"
#include "ops/reduce/reduce_simd.inl"

#include "simd/avx2.h"
#include "ops/reduce/reduce_simd.inl"

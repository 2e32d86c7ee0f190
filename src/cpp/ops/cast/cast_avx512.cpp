#include "simd/avx512.h"
#include "ops/cast/cast_simd.inl"

#include "simd/avx2.h"
#include "ops/cast/cast_simd.inl"

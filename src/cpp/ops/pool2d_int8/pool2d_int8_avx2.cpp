#include "simd/int8_avx2.h"
#include "ops/pool2d_int8/pool2d_int8_simd.inl"

#include "simd/int8_avx512.h"
#include "ops/conv2d_int8/conv2d_int8_simd.inl"

#include "simd/int8_avx2.h"
#include "ops/conv2d_int8/conv2d_int8_simd.inl"

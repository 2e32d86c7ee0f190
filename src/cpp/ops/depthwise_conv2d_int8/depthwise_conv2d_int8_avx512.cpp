#include "simd/int8_avx512.h"
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8_simd.inl"

#include "simd/int8_avx2.h"
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8_simd.inl"

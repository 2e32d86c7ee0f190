#include "simd/avx512.h"
#include "ops/depthwise_conv2d/depthwise_gradients_simd.inl"

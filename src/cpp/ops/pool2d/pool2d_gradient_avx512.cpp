#include "simd/avx512.h"
#include "ops/pool2d/pool2d_gradient_simd.inl"

#include "simd/avx2.h"
#include "ops/pool2d/pool2d_gradient_simd.inl"

#include "simd/avx2.h"
#include "ops/pool2d/pool2d_simd.inl"

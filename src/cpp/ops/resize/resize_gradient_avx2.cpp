#include "simd/avx2.h"
#include "ops/resize/resize_gradient_simd.inl"

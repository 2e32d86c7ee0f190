#include "simd/avx512.h"
#include "ops/resize/resize_gradient_simd.inl"

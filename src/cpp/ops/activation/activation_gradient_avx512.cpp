#include "simd/avx512.h"
#include "ops/activation/activation_gradient_simd.inl"

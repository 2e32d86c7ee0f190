#include "simd/avx2.h"
#include "ops/activation/activation_gradient_simd.inl"

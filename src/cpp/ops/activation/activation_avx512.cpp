#include "simd/avx512.h"
#include "ops/activation/activation_simd.inl"

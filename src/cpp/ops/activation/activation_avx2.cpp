#include "simd/avx2.h"
#include "ops/activation/activation_simd.inl"

#include "simd/avx512.h"
#include "ops/gram/gram_simd.inl"

#include "simd/avx2.h"
#include "ops/gram/gram_simd.inl"

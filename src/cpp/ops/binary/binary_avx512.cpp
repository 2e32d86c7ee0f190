#include "simd/avx512.h"
#include "ops/binary/binary_simd.inl"

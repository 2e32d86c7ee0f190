#include "simd/avx2.h"
#include "ops/binary/binary_simd.inl"

#include "simd/avx512.h"
#include "ops/convert/convert_simd.inl"

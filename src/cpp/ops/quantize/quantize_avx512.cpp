#include "simd/int8_avx512.h"
#include "ops/quantize/quantize_simd.inl"

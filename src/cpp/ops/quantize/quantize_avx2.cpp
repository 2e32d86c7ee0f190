#include "simd/int8_avx2.h"
#include "ops/quantize/quantize_simd.inl"

#include "simd/avx512.h"
#include "simd/fma_peak_simd.inl"

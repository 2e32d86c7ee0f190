#include "simd/avx2.h"
#include "simd/fma_peak_simd.inl"

#include "simd/avx512.h"
#include "ops/optimizer/optimizer_simd.inl"

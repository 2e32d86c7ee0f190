#include "simd/avx2.h"
#include "ops/optimizer/optimizer_simd.inl"

#include "simd/avx512.h"
#include "ops/norm/lrn_gradient_simd.inl"

#include "simd/avx2.h"
#include "ops/norm/lrn_gradient_simd.inl"

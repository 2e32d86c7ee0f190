#include "simd/avx512.h"
#include "ops/softmax/softmax_simd.inl"

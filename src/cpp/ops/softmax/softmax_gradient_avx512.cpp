#include "simd/avx512.h"
#include "ops/softmax/softmax_gradient_simd.inl"

#include "simd/avx2.h"
#include "ops/softmax/softmax_gradient_simd.inl"

#include "simd/avx2.h"
#include "ops/softmax/softmax_simd.inl"

#include "simd/avx2.h"
#include "ops/convert/convert_simd.inl"

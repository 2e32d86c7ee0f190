#include "simd/avx512.h"
#include "ops/boxes/boxes_simd.inl"
#include "ops/boxes/nms_simd.inl"

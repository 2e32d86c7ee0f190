#include "simd/avx2.h"
#include "ops/boxes/boxes_simd.inl"
#include "ops/boxes/nms_simd.inl"

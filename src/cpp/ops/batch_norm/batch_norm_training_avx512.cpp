#include "simd/avx512.h"
#include "ops/batch_norm/batch_norm_training_simd.inl"

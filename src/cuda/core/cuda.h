// What every file of src/cuda includes: CUDA, and the few spellings that differ where its sources are compiled for the
// CPU, against the execution model of tests/cuda/emulator, whose cuda_runtime.h is then found instead of NVIDIA's.
//
//   FC_SHARED(float, tile, [32][33]);    static shared memory, aligned to 16
//   FC_DYNAMIC_SHARED(float, stage);     float* stage: the bytes that the launch asked for, aligned to 16
//   launch(...)                          core/launch.h, instead of <<<>>>
//   cp.async, mma.sync                   core/ptx.h
#pragma once

#include <cuda_runtime.h>

#include "core/base.h"

#if defined(__CUDACC__)
#define FC_SHARED(type, name, dims) __shared__ __align__(16) type name dims
#define FC_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char fc_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(fc_dynamic_shared)
#else
#define FC_SHARED(type, name, dims) auto& name = emulator::static_shared<type dims>(__FILE__, __LINE__, [] {})
#define FC_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(emulator::dynamic_shared())
#endif

namespace fastcnn::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

}  // namespace fastcnn::cuda

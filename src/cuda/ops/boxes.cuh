// What the files of the room share.
#pragma once

#include "core/launch.h"
#include "ops/boxes/box_math.h"

namespace fastcnn::cuda {

inline constexpr int kBoxThreads = 256;

// A key whose unsigned order is the decreasing order of scores; 0 and -0 are one. No number has the key of all ones.
__device__ __forceinline__ unsigned descending_key(float score) {
  const unsigned bits = __float_as_uint(score + 0.0f);
  return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

inline const char* decline_too_many_boxes(const Problem& problem) {
  return problem.inputs[0].shape[0] >= (std::int64_t{1} << 32) - 1 ? "counts boxes in 32 bits" : nullptr;
}

void run_nms(const KernelArgs& args);
std::int64_t nms_workspace(const Problem& problem);

}  // namespace fastcnn::cuda

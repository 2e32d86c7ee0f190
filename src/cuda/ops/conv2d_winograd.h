// Winograd's rows, for the tables of conv2d and conv2d_weight_gradient. m x m are the pixels of a tile.
#pragma once

#include "ops/conv2d/conv2d.h"

namespace fastcnn::cuda::winograd {

template <int m>  // 2 or 4
struct Convolution {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
  static std::int64_t workspace(const Problem& problem);
};

// m = 4
struct WeightGradient {
  static void run(const KernelArgs& args);
  static const char* declines(const Problem& problem);
  static const char* yields(const Problem& problem);
  static std::int64_t workspace(const Problem& problem);
};

}  // namespace fastcnn::cuda::winograd

// random: the contract of random numbers. The words w of core/random.h, four for each four elements in their order,
// give each element's number; b = w / 256, rounded down, has 24 bits.
//
//   dropout         operands x, key: y = x / (1 - rate) where b >= rate 2^24, else 0
//   random_uniform  operand key: y = low + (high - low) b / 2^24, and below high unless that is low
//   random_normal   operand key: y = mean + stddev n; of two neighbours with bits b0 and b1,
//                   n0 = r cos(a) and n1 = r sin(a) with r = sqrt(-2 log((b0 + 1) / 2^24)), a = 2 pi b1 / 2^24
//
// `key` is an int64 tensor (2,): a seed and a step, the seed that of the attribute when there is one. `stream` tells
// apart those who draw in one step. A result has at most 2^34 elements.
// Dropped elements are +0, whatever x is there. The gradient of dropout is dropout of the gradient: nothing is kept.
#pragma once

#include "core/random.h"
#include "ops/problem.h"

namespace fastcnn {

struct RandomSource {
  std::int64_t seed = 0;
  std::uint32_t stream = 0;
  std::int32_t own_seed = 0;  // whether `seed` is that, not the key's
};

struct DropoutParams {
  RandomSource source;
  float threshold = 0.0f;  // rate 2^24, rounded up: an element is kept if its bits are not below
  float scale = 1.0f;      // 1 / (1 - rate)
};

struct RandomUniformParams {
  RandomSource source;
  Shape shape;
  float low = 0.0f, range = 1.0f, last = 1.0f;  // `last`: the largest result
};

struct RandomNormalParams {
  RandomSource source;
  Shape shape;
  float mean = 0.0f, stddev = 1.0f;
};

FC_INLINE RandomKey random_key(const RandomSource& source, const Tensor& key) {
  const std::int64_t* k = key.as<std::int64_t>();
  return {static_cast<std::uint64_t>(source.own_seed ? source.seed : k[0]), static_cast<std::uint64_t>(k[1]),
          source.stream};
}

#define FC_RANDOM_KERNELS                      \
  void dropout(const KernelArgs& args);        \
  void random_uniform(const KernelArgs& args); \
  void random_normal(const KernelArgs& args);

namespace ref {
FC_RANDOM_KERNELS
}
#if FC_X86
namespace avx2 {
FC_RANDOM_KERNELS
}
namespace avx512 {
FC_RANDOM_KERNELS
}
#endif
#undef FC_RANDOM_KERNELS

}  // namespace fastcnn

// The engine's product (product.h) where tiles would be nearly empty: a few columns in each of many products.
//
// Computes   C = A B, each element one chain of fused multiply-adds over the terms upwards, from 0.
// Layout     functors say where elements lie; they are read one by one.
// Threads    256, an element of C each; neighbours have neighbouring columns, then those of the next of the batch: the
//            channels of a grouped convolution, so that they read B and store C side by side.
// Why        a tile of 32 columns for a group of one filter would compute 31 for nothing.
// Bounds     finding the elements, some twenty instructions for each multiply-add.
// Needs      nothing.
// Accuracy   that of a sequential sum in float32.
#pragma once

#include "core/launch.h"
#include "gemm/product.h"

namespace fastcnn::cuda::gemm {

template <class A, class B, class Finish>
__global__ __launch_bounds__(256) void multiply_direct(Sizes s, A a, B b, Finish finish) {
  static_assert(A::kLie == Lie::Apart && B::kLie == Lie::Apart && !Finish::kWide);
  const std::int64_t id = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  const std::int64_t across = s.batch * s.columns, row = id / across, channel = id - row * across;
  if (row >= s.rows) return;
  const std::int64_t batch = channel / s.columns, column = channel - batch * s.columns;
  const auto line_of_a = a.line(batch, row);
  const auto line_of_b = b.line(batch, column);
  float sum[1] = {};
#pragma unroll 4
  for (std::int64_t k = 0; k < s.depth; ++k) {
    const float *x, *w;
    const bool both = a.find(line_of_a, a.term(k), &x) & b.find(line_of_b, b.term(k), &w);
    if (both) sum[0] = fmaf(*x, *w, sum[0]);
  }
  finish.store(batch, row, column, sum);
}

template <class A, class B, class Finish>
void launch_direct(const char* name, const KernelArgs& args, const Sizes& s, const A& a, const B& b,
                   const Finish& finish) {
  const std::int64_t blocks = ceil_div(s.batch * s.rows * s.columns, 256);
  launch(name, multiply_direct<A, B, Finish>, {dim3(static_cast<unsigned>(blocks)), dim3(256)}, args, s, a, b, finish);
}

}  // namespace fastcnn::cuda::gemm

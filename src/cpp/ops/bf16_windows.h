// Products of windows of NHWC pictures that are stored in bfloat16 with a kernel: what convolution and transposed
// convolution share. For baseline files.
#pragma once

#include "core/epilogue.h"
#include "core/tensor.h"
#include "core/window.h"
#include "gemm/split.h"

#if FC_X86
namespace fastcnn {

// c[n,i,j,o] = act( sum_{a,b,c} x[n, i sh - top + a dh, j sw - left + b dw, c] w[a,b,c,o] + bias[o] + residual ),
// i < height, j < width; pixel (n, i, j) of c and of the residual is n * picture + i * row + j * pixel elements from
// the start.
struct Bf16Windows {
  const gemm::SplitEngine& engine;  // of one part
  Window2d window;
  std::int64_t filters;
  Tensor x;  // its pixel_pitch() is heeded
  std::int64_t height, width;
  std::int64_t picture, row, pixel;
  const float* packed;
  void* c;
  const void* residual;  // or nullptr
  const float* bias;     // or nullptr
  bool bf16_c, bf16_residual;
  Activation activation;
  float alpha;
};

// Why not; nullptr: the product can be computed.
const char* bf16_windows_decline(const Window2d& window, std::int64_t channels, std::int64_t filters);

// The kernel: for each of its rows a, the terms (b, c) as a matrix of their own, zeros up to a multiple of 32 terms.
std::int64_t bf16_packed_size(const Window2d& window, std::int64_t channels, std::int64_t filters);  // floats
// Taps [b, b + taps) of row a: term k of them and filter o at from[k * row_stride + o * column_stride]. b > 0 needs
// channels that are a multiple of 32.
struct Bf16Taps {
  std::int64_t a, b, taps;
  const float* from;
  std::int64_t row_stride, column_stride;
};
void pack_bf16_taps(const Window2d& window, std::int64_t channels, std::int64_t filters, const Bf16Taps& taps,
                    float* packed);

void multiply(const Bf16Windows& windows);

}  // namespace fastcnn
#endif  // FC_X86

// Sums of outer products over the pixels of pictures: weight gradients. See README.md. For baseline files; ISA files
// include gemm/outer_tile.h.
#pragma once

#include "core/window.h"
#include "gemm/outer_tile.h"

namespace fastcnn::gemm {

struct OuterPicture {
  const float* data;  // NHWC
  std::int64_t height, width, channels;
};

// C[u, v, c, o] = sum over n, i, j: a[n, i sh - top + u dh, j sw - left + v dw, g I + c] b[n, i, j, o], pixels of `a`
// outside its picture being zeros; I = channels of a / groups, g the group of o, C[u, v] is I x channels of b.
struct OuterProduct {
  Window2d window;
  std::int64_t pictures = 0, groups = 1;
  OuterPicture a{}, b{};
  float* c = nullptr;
};

// Bytes that multiply() needs; only sizes are read.
std::int64_t workspace(const OuterEngine& engine, const OuterProduct& product);

// Multi-threaded, cut by shape. Without pixels C is zero.
void multiply(const OuterEngine& engine, const OuterProduct& product, void* workspace);

}  // namespace fastcnn::gemm

// dense: the contract of matrix products.
//
//   dense    y[..., n] = act( sum_k x[..., k] w[k, n] + bias[n] + residual[..., n] )
//   matmul   y[b] = op(a[b]) op(w[b]) for matrices or stacks of matrices; op transposes where the attribute says so
//
// Operands: x, w; dense then has bias (N) and residual (the shape of y) when the Epilogue says so. A single matrix w is
// shared by all of a stack, and so is a single matrix x.
// Corner cases, the same for every kernel: an empty sum is 0; a non-finite factor reaches every output that depends on
// it; sums run over k upwards, in float32, the bias before or after them.
#pragma once

#include "core/epilogue.h"
#include "ops/problem.h"

namespace fastcnn {

// Both ops in one form: `batch` products of rows x depth by depth x columns.
struct DenseParams {
  std::int64_t batch = 1, rows = 0, depth = 0, columns = 0;
  std::int64_t x_row_stride = 0, x_step = 1, x_batch_stride = 0;  // of element (r, k) of x, in floats
  std::int64_t w_row_stride = 0, w_step = 1, w_batch_stride = 0;  // of element (k, n) of w; batch 0: one w for all
  Shape y;
  Epilogue epilogue;
};

namespace ref {
void dense(const KernelArgs& args);
}

#if FC_X86
// dense_gemm.cpp: the matrix-product engine of each instruction set.
namespace avx2 {
void dense(const KernelArgs& args);
void dense_pack(const KernelArgs& args);
}  // namespace avx2
namespace avx512 {
void dense(const KernelArgs& args);
void dense_pack(const KernelArgs& args);
}  // namespace avx512
namespace amx {
void dense_bf16x6(const KernelArgs& args);
void dense_bf16x6_pack(const KernelArgs& args);
void dense_bf16x3(const KernelArgs& args);
void dense_bf16x3_pack(const KernelArgs& args);
void dense_bf16(const KernelArgs& args);
}  // namespace amx
namespace avx512bf16 {
void dense_bf16(const KernelArgs& args);
void dense_bf16_pack(const KernelArgs& args);  // for AMX, too
}  // namespace avx512bf16
#endif

}  // namespace fastcnn

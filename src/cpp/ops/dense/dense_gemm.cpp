// Computes   dense and matmul by the matrix-product engine.
// Layout     x read in place, transposed or not; w packed into panels of columns (gemm/README.md), once where it is a
//            constant.
// Why        a single row (batch 1) streams the weights once from memory and nothing else counts: panels make that one
//            sequential read for each thread.
// Needs      weights packed by the op of the row's engine.
// Accuracy   AVX2 and AVX-512: one chain of fused multiply-adds an output, from the bias on. In bf16 parts:
//            gemm/gemm_amx.cpp, gemm/gemm_avx512bf16.cpp.
#include "gemm/split_gemm.h"
#include "ops/dense/dense.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {
namespace {

template <class Engine>
void run(const Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<DenseParams>();
  gemm::Product product;
  product.rows = p.rows;
  product.columns = p.columns;
  product.depth = p.depth;
  product.a_step = p.x_step;
  product.packed = args.in[1].as<float>();
  product.c = args.out[0].as<float>();
  product.set_epilogue(p.epilogue, EpilogueOperands(p.epilogue, args, 2));
  product.batch = p.batch;
  if (p.w_batch_stride != 0) product.packed_stride = gemm::packed_size(engine, p.depth, p.columns);
  product.c_stride = p.rows * p.columns;
  gemm::multiply(engine, product,
                 gemm::MatrixRows(args.in[0].as<float>(), p.x_row_stride, p.depth, p.columns, p.x_batch_stride));
}

template <class Engine>
void pack(const Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<DenseParams>();
  const std::int64_t size = gemm::packed_size(engine, p.depth, p.columns);
  const std::int64_t count = p.w_batch_stride != 0 ? p.batch : 1;
  for (std::int64_t b = 0; b < count; ++b)
    gemm::pack(engine, {args.in[0].as<float>() + b * p.w_batch_stride, p.w_row_stride, p.w_step, p.depth, p.columns},
               args.out[0].as<float>() + b * size);
}

}  // namespace

void avx2::dense(const KernelArgs& args) { run(gemm::avx2::engine, args); }
void avx2::dense_pack(const KernelArgs& args) { pack(gemm::avx2::engine, args); }
void avx512::dense(const KernelArgs& args) { run(gemm::avx512::engine, args); }
void avx512::dense_pack(const KernelArgs& args) { pack(gemm::avx512::engine, args); }
void amx::dense_bf16x6(const KernelArgs& args) { run(gemm::amx::bf16x6, args); }
void amx::dense_bf16x6_pack(const KernelArgs& args) { pack(gemm::amx::bf16x6, args); }
void amx::dense_bf16x3(const KernelArgs& args) { run(gemm::amx::bf16x3, args); }
void amx::dense_bf16x3_pack(const KernelArgs& args) { pack(gemm::amx::bf16x3, args); }
void amx::dense_bf16(const KernelArgs& args) { run(gemm::amx::bf16, args); }
void avx512bf16::dense_bf16(const KernelArgs& args) { run(gemm::avx512bf16::bf16, args); }
void avx512bf16::dense_bf16_pack(const KernelArgs& args) { pack(gemm::avx512bf16::bf16, args); }

}  // namespace fastcnn

#endif  // FC_X86

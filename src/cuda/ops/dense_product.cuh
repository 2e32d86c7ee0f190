// dense and matmul as the engine sees them: matrices whose rows or columns lie together, in vectors or float by float.
#pragma once

#include "gemm/operand.cuh"
#include "gemm/split.cuh"
#include "ops/dense/dense.h"

namespace fastcnn::cuda {

inline gemm::Sizes dense_sizes(const DenseParams& p) { return {p.batch, p.rows, p.columns, p.depth}; }
inline std::int64_t dense_workspace(const Problem& problem) {
  return gemm::split_workspace(dense_sizes(problem.as<DenseParams>()));
}

// What neighbours of x and of w are vectors.
struct DenseLies {
  gemm::Lie x, w;
  bool plain() const { return x == gemm::Lie::Terms && w == gemm::Lie::Lines; }
  bool apart() const { return x == gemm::Lie::Apart || w == gemm::Lie::Apart; }
};

template <gemm::Lie of_x, gemm::Lie of_w>
struct DenseProduct {
  gemm::Matrix<of_x> x;
  gemm::Matrix<of_w> w;
  gemm::Finish<of_w != gemm::Lie::Apart> result;

  explicit DenseProduct(const KernelArgs& args) : DenseProduct(args, args.problem.as<DenseParams>()) {}

 private:
  DenseProduct(const KernelArgs& args, const DenseParams& p)
      : x{args.in[0].as<float>(), p.x_row_stride, p.x_step, p.x_batch_stride},
        w{args.in[1].as<float>(), p.w_step, p.w_row_stride, p.w_batch_stride},
        result(p.epilogue, EpilogueOperands(p.epilogue, args, 2), args.out[0].as<float>(), p.columns,
               p.rows * p.columns, 0) {}
};

inline DenseLies dense_lies(const KernelArgs& args) {
  using gemm::Lie;
  const auto& p = args.problem.as<DenseParams>();
  const auto fours = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return a % 4 == 0 && b % 4 == 0 && c % 4 == 0;
  };
  const auto lie = [&](std::int64_t line_stride, std::int64_t term_stride, std::int64_t batch_stride,
                       std::int64_t lines) {
    if (term_stride == 1 && fours(p.depth, line_stride, batch_stride)) return Lie::Terms;
    return line_stride == 1 && fours(lines, term_stride, batch_stride) ? Lie::Lines : Lie::Apart;
  };
  const DenseLies lies{lie(p.x_row_stride, p.x_step, p.x_batch_stride, p.rows),
                       lie(p.w_step, p.w_row_stride, p.w_batch_stride, p.columns)};
  // The result's columns are w's: they are vectors together.
  const bool columns = lies.w != Lie::Apart && gemm::aligned(args.in[1].data) &&
                       DenseProduct<Lie::Terms, Lie::Lines>(args).result.vectors();
  return {gemm::aligned(args.in[0].data) ? lies.x : Lie::Apart, columns ? lies.w : Lie::Apart};
}

// Calls multiply(sizes, x, w, result) where the operands lie as in a dense layer, or apart; false: they do not.
template <class Multiply>
bool multiply_plain(const KernelArgs& args, const Multiply& multiply) {
  using gemm::Lie;
  const DenseLies lies = dense_lies(args);
  const auto with = [&](const auto& product) {
    multiply(dense_sizes(args.problem.as<DenseParams>()), product.x, product.w, product.result);
  };
  if (lies.plain()) return with(DenseProduct<Lie::Terms, Lie::Lines>(args)), true;
  if (lies.apart()) return with(DenseProduct<Lie::Apart, Lie::Apart>(args)), true;
  return false;
}

// The same where one of them, or both, are turned.
template <class Multiply>
void multiply_turned(const KernelArgs& args, const Multiply& multiply) {
  using gemm::Lie;
  const DenseLies lies = dense_lies(args);
  const auto with = [&](const auto& product) {
    multiply(dense_sizes(args.problem.as<DenseParams>()), product.x, product.w, product.result);
  };
  if (lies.x == Lie::Terms) return with(DenseProduct<Lie::Terms, Lie::Terms>(args));
  if (lies.w == Lie::Lines) return with(DenseProduct<Lie::Lines, Lie::Lines>(args));
  with(DenseProduct<Lie::Lines, Lie::Terms>(args));
}

// `name` is the row's. dense_turned.cu, dense_mma.cu, dense_turned_mma.cu: each compiles some of the engine's kernels.
void dense_turned(const char* name, const KernelArgs& args);
template <int parts>
void dense_mma(const char* name, const KernelArgs& args);
template <int parts>
void dense_turned_mma(const char* name, const KernelArgs& args);

// dense_thin.cu: a few rows.
void dense_thin(const char* name, const KernelArgs& args);
const char* dense_thin_declines(const Problem& problem);
std::int64_t dense_thin_workspace(const Problem& problem);

}  // namespace fastcnn::cuda

// dense and matmul with a few rows. The kernel is gemm/thin.cuh.
#include "gemm/thin.cuh"
#include "ops/dense_product.cuh"

namespace fastcnn::cuda {

std::int64_t dense_thin_workspace(const Problem& problem) {
  return gemm::thin_workspace(dense_sizes(problem.as<DenseParams>()));
}

const char* dense_thin_declines(const Problem& problem) {
  const auto& p = problem.as<DenseParams>();
  if (p.rows > gemm::kThinRows) return "more than 8 rows";
  if (p.w_step != 1) return "the rows of w do not lie together";
  return p.batch > 65535 ? "more than 65535 products" : nullptr;
}

void dense_thin(const char* name, const KernelArgs& args) {
  using gemm::Lie;
  const auto multiply = [&](const auto& product) {
    gemm::launch_thin(name, args, dense_sizes(args.problem.as<DenseParams>()), product.x, product.w, product.result,
                      static_cast<float*>(args.workspace));
  };
  if (dense_lies(args).w == Lie::Lines)
    multiply(DenseProduct<Lie::Apart, Lie::Lines>(args));
  else
    multiply(DenseProduct<Lie::Apart, Lie::Apart>(args));
}

}  // namespace fastcnn::cuda

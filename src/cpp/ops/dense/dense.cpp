#include "ops/dense/dense.h"

#include "gemm/split_gemm.h"
#include "ops/epilogue_attrs.h"
#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse_dense(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 4);
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  require(x.rank >= 1, ErrorKind::Shape, op, ": x must have at least 1 dimension, got shape ", x);
  require_rank(op, "kernel", inputs[1], 2);
  require(w[0] == x.back(), ErrorKind::Shape, op, ": expected a kernel of shape (", x.back(),
          ", units) for x of shape ", x, ", got shape ", w);
  DenseParams p;
  p.rows = x.product(0, x.rank - 1);
  p.depth = p.x_row_stride = w[0];
  p.columns = p.w_row_stride = w[1];
  p.y = x;
  p.y[x.rank - 1] = p.columns;
  p.epilogue = parse_epilogue(attrs, static_cast<int>(inputs.size()), 2);
  return Params(p);
}

std::vector<TensorType> infer_dense(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<DenseParams>();
  require_f32("dense", inputs);
  require_epilogue_operands("dense", p.epilogue, inputs, 2, p.y);
  return {f32(p.y)};
}

Params parse_matmul(AttrReader& attrs, std::span<const TensorType> inputs) {
  const char* op = attrs.op();
  require_inputs(op, inputs, 2, 2);
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  require(a.rank >= 2 && a.rank <= 3 && b.rank >= 2 && b.rank <= 3, ErrorKind::Shape, op,
          ": expected matrices or stacks of matrices, got shapes ", a, " and ", b);
  const bool transpose_a = attrs.boolean("transpose_a", false), transpose_b = attrs.boolean("transpose_b", false);
  const std::int64_t a_rows = a[a.rank - 2], a_columns = a.back(), b_rows = b[b.rank - 2], b_columns = b.back();
  DenseParams p;
  p.rows = transpose_a ? a_columns : a_rows;
  p.depth = transpose_a ? a_rows : a_columns;
  p.columns = transpose_b ? b_rows : b_columns;
  require((transpose_b ? b_columns : b_rows) == p.depth, ErrorKind::Shape, op, ": the inner dimensions of ", a,
          transpose_a ? " (transposed)" : "", " and ", b, transpose_b ? " (transposed)" : "", " differ");
  require(a.rank == 2 || b.rank == 2 || a[0] == b[0], ErrorKind::Shape, op,
          ": expected stacks of the same number of matrices, got shapes ", a, " and ", b);
  p.batch = a.rank == 3 ? a[0] : b.rank == 3 ? b[0] : 1;
  p.x_row_stride = transpose_a ? 1 : a_columns;
  p.x_step = transpose_a ? a_columns : 1;
  p.x_batch_stride = a.rank == 3 ? a_rows * a_columns : 0;
  p.w_row_stride = transpose_b ? 1 : b_columns;
  p.w_step = transpose_b ? b_columns : 1;
  p.w_batch_stride = b.rank == 3 ? b_rows * b_columns : 0;
  if (a.rank == 3 || b.rank == 3) p.y.push_back(p.batch);
  p.y.push_back(p.rows);
  p.y.push_back(p.columns);
  // One w for a stack of plain matrices: a single, taller product.
  if (a.rank == 3 && b.rank == 2 && !transpose_a) p.rows *= p.batch, p.batch = 1, p.x_batch_stride = 0;
  return Params(p);
}

std::vector<TensorType> infer_matmul(const Params& params, std::span<const TensorType> inputs) {
  require_f32("matmul", inputs);
  return {f32(params.as<DenseParams>().y)};
}

std::int64_t flops(const Problem& problem) {
  const auto& p = problem.as<DenseParams>();
  return 2 * p.batch * p.rows * p.depth * p.columns;
}

Epilogue& epilogue(Params& params) { return params.edit<DenseParams>().epilogue; }

// ---- packing: w -> panels of columns, matrix by matrix ---------------------------------------

#if FC_X86
Params pack_params(const Params& params) {
  DenseParams packed = params.as<DenseParams>();
  if (packed.w_batch_stride == 0) packed.batch = 1;
  packed.rows = packed.x_row_stride = packed.x_step = packed.x_batch_stride = 0;
  packed.y = Shape();
  packed.epilogue = Epilogue();
  return Params(packed);
}

template <const auto& engine>
std::vector<TensorType> infer_pack(const Params& params, std::span<const TensorType>) {
  const auto& p = params.as<DenseParams>();
  Shape s;
  s.push_back((p.w_batch_stride != 0 ? p.batch : 1) * gemm::packed_size(engine, p.depth, p.columns));
  return {f32(s)};
}

constexpr KernelInfo kPackBf16x6[] = {{.name = "dense_pack_bf16x6", .run = amx::dense_bf16x6_pack}};
constexpr KernelInfo kPackBf16x3[] = {{.name = "dense_pack_bf16x3", .run = amx::dense_bf16x3_pack}};
constexpr KernelInfo kPackBf16[] = {{.name = "dense_pack_bf16", .run = avx512bf16::dense_bf16_pack}};
constexpr KernelInfo kPackAvx512[] = {{.name = "dense_pack_n64_f32", .run = avx512::dense_pack}};
constexpr KernelInfo kPackAvx2[] = {{.name = "dense_pack_n16_f32", .run = avx2::dense_pack}};
#endif

}  // namespace

#if FC_X86
const Op dense_pack_bf16x6_op{
    .name = "dense_pack_bf16x6", .parse = nullptr, .infer = infer_pack<gemm::amx::bf16x6>, .kernels = kPackBf16x6};
const Op dense_pack_bf16x3_op{
    .name = "dense_pack_bf16x3", .parse = nullptr, .infer = infer_pack<gemm::amx::bf16x3>, .kernels = kPackBf16x3};
const Op dense_pack_bf16_op{
    .name = "dense_pack_bf16", .parse = nullptr, .infer = infer_pack<gemm::avx512bf16::bf16>, .kernels = kPackBf16};
const Op dense_pack_n64_op{
    .name = "dense_pack_n64", .parse = nullptr, .infer = infer_pack<gemm::avx512::engine>, .kernels = kPackAvx512};
const Op dense_pack_n16_op{
    .name = "dense_pack_n16", .parse = nullptr, .infer = infer_pack<gemm::avx2::engine>, .kernels = kPackAvx2};
#endif

// ---- the kernel tables: best first, ref last ------------------------------------------------

namespace {
#if FC_X86
template <const gemm::SplitEngine& engine>
const char* yields_split(const Problem& problem) {
  const auto& p = problem.as<DenseParams>();
  return gemm::yields(engine, p.rows, p.depth, p.columns);
}

// matmul packs w anew at each call.
template <const gemm::SplitEngine& engine>
const char* yields_split_matmul(const Problem& problem) {
  const auto& p = problem.as<DenseParams>();
  if (p.x_step != 1) return "a is transposed";
  if (p.rows < 128) return "too few rows to split b for";
  return yields_split<engine>(problem);
}
#endif

constexpr KernelInfo kDenseKernels[] = {
#if FC_X86
    {.name = "dense_f32_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = amx::dense_bf16,
     .yields = yields_split<gemm::amx::bf16>,
     .pack = &dense_pack_bf16_op,
     .pack_params = pack_params},
    {.name = "dense_f32_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = avx512bf16::dense_bf16,
     .yields = yields_split<gemm::avx512bf16::bf16>,
     .pack = &dense_pack_bf16_op,
     .pack_params = pack_params},
    {.name = "dense_f32_bf16x3_amx",
     .isa = Isa::Amx,
     .precision = Precision::High,
     .run = amx::dense_bf16x3,
     .yields = yields_split<gemm::amx::bf16x3>,
     .pack = &dense_pack_bf16x3_op,
     .pack_params = pack_params},
    {.name = "dense_f32_bf16x6_amx",
     .isa = Isa::Amx,
     .run = amx::dense_bf16x6,
     .yields = yields_split<gemm::amx::bf16x6>,
     .pack = &dense_pack_bf16x6_op,
     .pack_params = pack_params},
    {.name = "dense_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::dense,
     .pack = &dense_pack_n64_op,
     .pack_params = pack_params},
    {.name = "dense_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::dense,
     .pack = &dense_pack_n16_op,
     .pack_params = pack_params},
#endif
    {.name = "dense_f32_ref", .run = ref::dense},
};
constexpr KernelInfo kMatmulKernels[] = {
#if FC_X86
    {.name = "matmul_f32_bf16_amx",
     .isa = Isa::Amx,
     .precision = Precision::Medium,
     .run = amx::dense_bf16,
     .yields = yields_split_matmul<gemm::amx::bf16>,
     .pack = &dense_pack_bf16_op,
     .pack_params = pack_params},
    {.name = "matmul_f32_bf16_avx512bf16",
     .isa = Isa::Avx512Bf16,
     .precision = Precision::Medium,
     .run = avx512bf16::dense_bf16,
     .yields = yields_split_matmul<gemm::avx512bf16::bf16>,
     .pack = &dense_pack_bf16_op,
     .pack_params = pack_params},
    {.name = "matmul_f32_bf16x3_amx",
     .isa = Isa::Amx,
     .precision = Precision::High,
     .run = amx::dense_bf16x3,
     .yields = yields_split_matmul<gemm::amx::bf16x3>,
     .pack = &dense_pack_bf16x3_op,
     .pack_params = pack_params},
    {.name = "matmul_f32_bf16x6_amx",
     .isa = Isa::Amx,
     .run = amx::dense_bf16x6,
     .yields = yields_split_matmul<gemm::amx::bf16x6>,
     .pack = &dense_pack_bf16x6_op,
     .pack_params = pack_params},
    {.name = "matmul_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::dense,
     .pack = &dense_pack_n64_op,
     .pack_params = pack_params},
    {.name = "matmul_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::dense,
     .pack = &dense_pack_n16_op,
     .pack_params = pack_params},
#endif
    {.name = "matmul_f32_ref", .run = ref::dense},
};
}  // namespace

// ---- gradients ------------------------------------------------------------------------------

namespace {

// dx = dy w^T, dw = x^T dy.
void dense_gradient(NodeGradient& node) {
  const auto& p = node.params().as<DenseParams>();
  const ValueId dy = node.upstream();
  set_epilogue_gradients(node, p.epilogue, 2, dy);
  if (node.wants(0)) {
    DenseParams dx;
    dx.rows = p.rows, dx.depth = p.columns, dx.columns = p.depth;
    dx.x_row_stride = p.columns;
    dx.w_row_stride = 1, dx.w_step = p.columns;
    dx.y = node.input_shape(0);
    node.set(0, node.add(dense_op, Params(dx), {dy, node.input(1)}));
  }
  if (node.wants(1)) {
    DenseParams dw;
    dw.rows = p.depth, dw.depth = p.rows, dw.columns = p.columns;
    dw.x_row_stride = 1, dw.x_step = p.depth;
    dw.w_row_stride = p.columns;
    dw.y = node.input_shape(1);
    node.set(1, node.add(matmul_op, Params(dw), {node.input(0), dy}));
  }
}

// y = A B, where A is a or its transpose, B is b or its transpose: dA = dy B^T, dB = A^T dy.
void matmul_gradient(NodeGradient& node) {
  const auto& p = node.params().as<DenseParams>();
  const ValueId dy = node.upstream(), a = node.input(0), b = node.input(1);
  const bool turned_a = p.x_step != 1 || node.input_shape(0).back() != p.depth;
  const bool turned_b = p.w_step != 1 || node.input_shape(1).back() != p.columns;
  const auto product = [&](int operand, ValueId x, bool turn_x, ValueId w, bool turn_w) {
    if (!node.wants(operand)) return;
    const ValueId d = node.add(matmul_op, {{"transpose_a", turn_x}, {"transpose_b", turn_w}}, {x, w});
    node.set(operand, sum_to_shape(node, d, node.input_shape(operand)));
  };
  turned_a ? product(0, b, turned_b, dy, true) : product(0, dy, false, b, !turned_b);
  turned_b ? product(1, dy, true, a, turned_a) : product(1, a, !turned_a, dy, false);
}

}  // namespace

const Op dense_op{.name = "dense",
                  .parse = parse_dense,
                  .infer = infer_dense,
                  .kernels = kDenseKernels,
                  .flops = flops,
                  .epilogue = epilogue,
                  .num_operands = 2,
                  .gradient = dense_gradient};
const Op matmul_op{.name = "matmul",
                   .parse = parse_matmul,
                   .infer = infer_matmul,
                   .kernels = kMatmulKernels,
                   .flops = flops,
                   .gradient = matmul_gradient};

}  // namespace fastcnn

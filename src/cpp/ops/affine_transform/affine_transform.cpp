#include "ops/affine_transform/affine_transform.h"

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  AffineTransformParams p;
  p.mode = static_cast<FillMode>(attrs.choice("fill_mode", {"constant", "nearest", "reflect", "wrap"}, "constant"));
  p.bilinear = attrs.choice("interpolation", {"nearest", "bilinear"}, "bilinear");
  p.fill = static_cast<float>(attrs.number("fill_value", 0.0));
  return Params(p);
}

std::vector<TensorType> infer(const Params&, std::span<const TensorType> inputs) {
  constexpr const char* kName = "affine_transform";
  require_f32(kName, inputs);
  require_rank(kName, "x", inputs[0], 4);
  const Shape &x = inputs[0].shape, &m = inputs[1].shape;
  require(m.rank == 2 && m[0] == x[0] && m[1] == 8, ErrorKind::Shape, kName, ": expected 8 numbers for each of ", x[0],
          " pictures, got shape ", m);
  require(x[1] <= kLargestSide && x[2] <= kLargestSide, ErrorKind::Shape, kName,
          ": expected pictures of at most 2^22 rows and columns, got shape ", x);
  return {inputs[0]};
}

// ---- the kernel table: best first, ref last -------------------------------------------------

// A pixel of fill values.
std::int64_t workspace_bytes(const Problem& problem) {
  return problem.inputs[0].shape.back() * static_cast<std::int64_t>(sizeof(float));
}

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "affine_transform_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::affine_transform,
     .workspace = workspace_bytes},
    {.name = "affine_transform_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::affine_transform,
     .workspace = workspace_bytes},
#endif
    {.name = "affine_transform_f32_ref", .run = ref::affine_transform},
};

}  // namespace

const Op affine_transform_op{.name = "affine_transform", .parse = parse, .infer = infer, .kernels = kKernels};

}  // namespace fastcnn

#include "ops/pool2d_int8/pool2d_int8.h"

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  require(inputs[0].dtype == DType::U8, ErrorKind::DType, "max_pool2d_int8: expected a uint8 operand, got ", inputs[0]);
  const TensorType numbers = f32(inputs[0].shape);
  return {{DType::U8, max_pool2d_op.infer(params, {&numbers, 1})[0].shape}};
}

// ---- the kernel table: best first, ref last -------------------------------------------------

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "max_pool2d_int8_avx512", .isa = Isa::Avx512, .run = avx512::max_pool2d_int8},
    {.name = "max_pool2d_int8_avx2", .isa = Isa::Avx2, .run = avx2::max_pool2d_int8},
#endif
    {.name = "max_pool2d_int8_ref", .run = ref::max_pool2d_int8},
};

}  // namespace

const Op max_pool2d_int8_op{
    .name = "max_pool2d_int8",
    .parse = [](AttrReader& attrs, std::span<const TensorType> inputs) { return max_pool2d_op.parse(attrs, inputs); },
    .infer = infer,
    .kernels = kKernels,
    .int8 = true};

}  // namespace fastcnn

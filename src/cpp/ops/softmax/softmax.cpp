#include "ops/softmax/softmax.h"

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse_softmax(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const std::int64_t rank = inputs[0].shape.rank, axis = attrs.integer("axis", -1);
  require(axis >= -rank && axis < rank, ErrorKind::Config, attrs.op(), ": axis ", axis,
          " is outside an array of shape ", inputs[0].shape);
  SoftmaxParams p;
  p.axis = static_cast<std::int32_t>(axis < 0 ? axis + rank : axis);
  return Params(p);
}

std::vector<TensorType> infer_softmax(const Params&, std::span<const TensorType> inputs) {
  require_f32("softmax", inputs);
  return {inputs[0]};
}

constexpr KernelInfo kSoftmaxKernels[] = {
#if FC_X86
    {.name = "softmax_f32_avx512", .isa = Isa::Avx512, .run = avx512::softmax},
    {.name = "softmax_f32_avx2", .isa = Isa::Avx2, .run = avx2::softmax},
#endif
    {.name = "softmax_f32_ref", .run = ref::softmax},
};
constexpr KernelInfo kLogSoftmaxKernels[] = {
#if FC_X86
    {.name = "log_softmax_f32_avx512", .isa = Isa::Avx512, .run = avx512::log_softmax},
    {.name = "log_softmax_f32_avx2", .isa = Isa::Avx2, .run = avx2::log_softmax},
#endif
    {.name = "log_softmax_f32_ref", .run = ref::log_softmax},
};

}  // namespace

const Op softmax_op{.name = "softmax",
                    .parse = parse_softmax,
                    .infer = infer_softmax,
                    .kernels = kSoftmaxKernels,
                    .in_place_operands = 1};
const Op log_softmax_op{.name = "log_softmax",
                        .parse = parse_softmax,
                        .infer = infer_softmax,
                        .kernels = kLogSoftmaxKernels,
                        .in_place_operands = 1};

}  // namespace fastcnn

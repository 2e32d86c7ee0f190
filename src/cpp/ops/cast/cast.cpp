#include "ops/cast/cast.h"

#include "ops/epilogue_attrs.h"
#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse_cast(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return Params(CastParams{parse_storage(attrs)});
}

std::vector<TensorType> infer_cast(const Params& params, std::span<const TensorType> inputs) {
  require_storage("cast", inputs[0]);
  return {{params.as<CastParams>().result, inputs[0].shape}};
}

constexpr KernelInfo kKernels[] = {
#if FC_X86
    {.name = "cast_avx512", .isa = Isa::Avx512, .run = avx512::cast, .bf16_picture = true, .bf16_result = true},
    {.name = "cast_avx2", .isa = Isa::Avx2, .run = avx2::cast, .bf16_picture = true, .bf16_result = true},
#endif
    {.name = "cast_ref", .run = ref::cast, .bf16_picture = true, .bf16_result = true},
};

}  // namespace

const Op cast_op{.name = "cast", .parse = parse_cast, .infer = infer_cast, .kernels = kKernels};

}  // namespace fastcnn

#include "core/bf16.h"
#include "ops/cast/cast.h"

namespace fastcnn::ref {
namespace {

template <class From, class To>
void convert(const KernelArgs& args) {
  const From* x = args.in[0].as<From>();
  To* y = args.out[0].as<To>();
  for (std::int64_t i = 0; i < args.in[0].shape().size(); ++i) {
    if constexpr (std::is_same_v<To, Bf16>)
      y[i] = to_bf16(to_float(x[i]));
    else
      y[i] = to_float(x[i]);
  }
}

}  // namespace

void cast(const KernelArgs& args) {
  const bool from_bf16 = args.in[0].type.dtype == DType::BF16, to_bf16 = args.out[0].type.dtype == DType::BF16;
  if (from_bf16) return to_bf16 ? convert<Bf16, Bf16>(args) : convert<Bf16, float>(args);
  return to_bf16 ? convert<float, Bf16>(args) : convert<float, float>(args);
}

}  // namespace fastcnn::ref

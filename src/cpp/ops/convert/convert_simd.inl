// Computes   cast between float32 and bfloat16 (the contract: convert.h).
// Layout     any: the elements are one run.
// Tile       one register.
// Why        bound by memory.
// Needs      nothing: the tail is masked.
// Accuracy   rounded once, to the nearest even.
#include "ops/convert/convert.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

template <class From, class To>
void convert(const KernelArgs& args) {
  const From* x = args.in[0].as<From>();
  To* y = args.out[0].as<To>();
  constexpr std::int64_t kTaskItems = 16384;
  parallel_ranges(args.in[0].shape().size(), kTaskItems, [&](std::int64_t begin, std::int64_t end) {
    each_register(end - begin,
                  [&](std::int64_t i, auto lanes) { store(y + begin + i, load(x + begin + i, lanes), lanes); });
  });
}

}  // namespace

void cast_storage(const KernelArgs& args) {
  const bool from_bf16 = args.in[0].type.dtype == DType::BF16, to_bf16 = args.out[0].type.dtype == DType::BF16;
  if (from_bf16) return to_bf16 ? convert<Bf16, Bf16>(args) : convert<Bf16, float>(args);
  return to_bf16 ? convert<float, Bf16>(args) : convert<float, float>(args);
}

}  // namespace fastcnn::FC_SIMD

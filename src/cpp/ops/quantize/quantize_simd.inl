// Computes   quantize and dequantize (the contract: quantize.h).
// Layout     any; elements are taken in the order they lie.
// Tile       one register of floats, one of codes.
// Why        bound by memory: a fused multiply-add, two bounds and a conversion for five bytes moved.
// Needs      nothing: the tail is a masked load.
// Accuracy   the contract's: one rounding, then one to an integer.
#include "ops/quantize/quantize.h"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kTaskElements = 32768;  // worth handing to a thread

}  // namespace

void quantize(const KernelArgs& args) {
  const Quantization& q = args.problem.as<QuantizeParams>().q;
  const float* x = args.in[0].as<float>();
  auto* y = args.out[0].as<std::uint8_t>();
  parallel_ranges(args.in[0].shape().size(), kTaskElements, [&](std::int64_t begin, std::int64_t end) {
    const F32 inverse = set(1.0f / q.scale), zero_point = set(static_cast<float>(q.zero_point));
    const auto code = [&](F32 v) { return to_i32(min(max(fma(v, inverse, zero_point), zero()), set(255.0f))); };
    std::int64_t i = begin;
    for (; i + F32::width <= end; i += F32::width) store_codes(y + i, code(load(x + i)));
    if (i < end) store_codes(y + i, code(load(x + i, end - i)), end - i);
  });
}

void dequantize(const KernelArgs& args) {
  const Quantization& q = args.problem.as<QuantizeParams>().q;
  const auto* x = args.in[0].as<std::uint8_t>();
  float* y = args.out[0].as<float>();
  parallel_ranges(args.in[0].shape().size(), kTaskElements, [&](std::int64_t begin, std::int64_t end) {
    const F32 scale = set(q.scale), zero_point = set(static_cast<float>(q.zero_point));
    std::int64_t i = begin;
    for (; i + F32::width <= end; i += F32::width) store(y + i, scale * (to_f32(load_codes(x + i)) - zero_point));
    if (i < end) store(y + i, scale * (to_f32(load_codes(x + i, end - i)) - zero_point), end - i);
  });
}

}  // namespace fastcnn::FC_SIMD
